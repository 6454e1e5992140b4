# rig: mem=2G devices=nvme,nvme iommufd=too limit=300 long=yes
# Stopped and continued (SIGSTOP, SIGCONT), one process after the other, and frozen all together for longer
# than any deadline, twice in a row: from the first moments of the start, during the guest's boot, and
# while it does I/O and its accesses trap. The VM goes on each time.
. /rig/lib.sh
bulkhead_only
mkdir -p /run/cg
mount -t cgroup2 none /run/cg 2>/dev/null || mountpoint -q /run/cg || fail "no cgroup2"
mkdir -p /run/cg/vm
frozen() { # SECONDS
    echo 1 >/run/cg/vm/cgroup.freeze
    for ((k = 0; k < 50; k++)); do ! grep -q 'frozen 1' /run/cg/vm/cgroup.events || break; sleep 0.1; done
    sleep "$1"
    echo 0 >/run/cg/vm/cgroup.freeze
}
each_stopped() { # WHEN
    local pid
    for pid in $(tree_of "$VM"); do
        kill -STOP "$pid" 2>/dev/null || continue
        sleep 0.7
        kill -CONT "$pid" 2>/dev/null
    done
    vm_alive || fail "$1: the VM ended"
}
start() { # in that cgroup from its first moment
    become bash -c 'echo $$ >/run/cg/vm/cgroup.procs; exec "$@"' - "$@" >"$VM_DIR/stdout" 2>"$ERR" </dev/null &
    VM=$!
}

bind_vfio "$NVME0"
for ((n = 1; n <= 6; n++)); do
    run_guest info,wait "$NVME0"
    sleep "0.$(printf %03d $((RANDOM % 1000)))"
    for ((k = 0; k < 4; k++)); do
        to=$(tree_of "$VM" | shuf -n 1)
        kill -STOP "$to" 2>/dev/null
        sleep "0.$(printf %03d $((RANDOM % 400)))"
        kill -CONT "$to" 2>/dev/null
    done
    if ((n == 1)); then frozen 3.5; fi
    wait_for 'BH info' 60
    note "start $n: $(grep -c 'start: ' "$ERR") steps of the start, the guest is up"
    kill -QUIT "$VM"
    wait_exit 10
    expect "ended in order" [ "$STATUS" = 3 ]
done

run_guest info,io-background,traps "$NVME0"
sleep 2
frozen 3.5
each_stopped "during boot"
wait_for 'BH traps begin' 90
each_stopped "in I/O"
frozen 3.5
frozen 3.5
sleep 0.5
frozen 4
traps() { grep -ac '^BH traps [0-9]' "$CONSOLE"; }
before=$(traps)
more() { [ "$(traps)" -gt $((before + 2)) ]; }
for ((n = 0; n < 600; n++)); do ! more || break; sleep 0.1; done
expect "its accesses go on being answered" more
expect "as by the device" [ "$(said 'traps [0-9]' | sed 's/.* //')" = "$(said 'traps begin' | sed 's/.* //')" ]
expect "no device is failed" [ -z "$(grep 'is failed' "$ERR")" ]
expect "and no I/O" [ -z "$(said 'io error')" ]
kill -QUIT "$VM"
wait_exit 10
expect "nobody is left" gone_within 2
expect "nvme takes its device back" bind_host "$NVME0"
rmdir /run/cg/vm
pass
