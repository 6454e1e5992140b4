# rig: mem=2G devices=nvme iommufd=too limit=480 long=yes
# The launcher or the core is killed at 20 random moments of boot and I/O: within 2 s
# no process is left, and the device binds back to its host driver at once.  Then the same
# after a plain poweroff.  Pinning and unpinning RAM goes on for as long as the
# emulation takes for it, so on a busy machine it may be three times that.
. /rig/lib.sh
bulkhead_only

# freed WHAT: nobody left, device back and working.
freed() {
    local since=${EPOCHREALTIME/./}
    gone_within $((2 * PATIENCE)) || fail "$1: left behind after $((2 * PATIENCE)) s: $(left_behind | tr '\n' ' ')"
    local left=$(((${EPOCHREALTIME/./} - since) / 1000))
    timeout 10 bash -c ". /rig/lib.sh; bind_host $NVME0" || fail "$1: the device did not bind back"
    disk_of "$NVME0" >/dev/null || fail "$1: no disk after binding back"
    note "$1: no process after $left ms, device back after $(((${EPOCHREALTIME/./} - since) / 1000)) ms"
}

for ((n = 1; n <= 20; n++)); do
    bind_vfio "$NVME0"
    run_guest info,io-forever "$NVME0"
    # Half of them in the first second, when processes are being made.
    if ((n % 2)); then wait_ms=$((RANDOM % 1000)); else wait_ms=$((RANDOM % 14000)); fi
    sleep "$((wait_ms / 1000)).$(printf %03d $((wait_ms % 1000)))"
    stage=$(tail -n 1 "$CONSOLE" | tr -d '\r')
    killed=bulkhead
    if ((n / 2 % 2)) && [ -n "$(process bulkhead-core)" ]; then killed=bulkhead-core; fi
    kill -9 "$(process $killed)"
    wait_exit 10 2>/dev/null
    [ $killed = bulkhead ] || expect "without its core the launcher ends, and says so" [ "$STATUS" = 2 ]
    freed "$killed killed at $wait_ms ms (${stage:-nothing on its console yet})"
done

bind_vfio "$NVME0"
run_guest info "$NVME0"
power_off_clean
freed "after poweroff"
pass
