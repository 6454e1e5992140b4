# rig: mem=2G devices=nvme,nvme iommufd=too limit=160
# The host wants a device back while a guest uses it: within ten seconds it has it, the guest lives and
# goes on with its other one. Then the same with the guest's last device.
. /rig/lib.sh
bulkhead_only
bind_vfio "$NVME0"
bind_vfio "$NVME1"
# taken DEVICE: unbound from vfio-pci while the VM has it.
taken() {
    local since=${EPOCHREALTIME/./} n host
    unbind "$1" &
    host=$!
    for ((n = 0; n < 200; n++)); do kill -0 $host 2>/dev/null || break; sleep 0.1; done
    note "$1: the host waited $(((${EPOCHREALTIME/./} - since) / 1000)) ms"
    expect "the host has the device within ten seconds" [ $((${EPOCHREALTIME/./} - since)) -lt 10000000 ]
    expect "it has let go" [ -z "$(driver_of "$1")" ]
    expect "the VM goes on" vm_alive
}
run_guest info,io-background,reads-on "$NVME0" "$NVME1"
wait_for 'BH reads-on 5' 90
taken "$NVME0"
grep "$NVME0" "$ERR" | grep -E 'wants|taken' | sed 's/^/  | /'
expect "the VM says what the host wants" grep -q "$NVME0: the host wants the device back" "$ERR"
expect "and that it has it" grep -q "$NVME0: the host has taken the device back" "$ERR"
expect "it binds to nvme" bind_host "$NVME0"
disk_of "$NVME0" >/dev/null || fail "no disk after binding back"
reads() { grep -ac '^BH reads-on [0-9]' "$CONSOLE"; }
before=$(reads)
more() { [ "$(reads)" -gt $((before + 1)) ]; }
for ((n = 0; n < 300; n++)); do ! more || break; sleep 0.1; done
expect "the guest goes on with its other disk" more
expect "and no read of it has failed" [ -z "$(said 'reads-on error')" ]
expect "one helper is left" [ "$(processes bulkhead-vfio | wc -l)" = 1 ]
taken "$NVME1"
expect "it binds to nvme" bind_host "$NVME1"
disk_of "$NVME1" >/dev/null || fail "no disk after binding back"
kill -QUIT "$VM"
wait_exit 10
expect "nobody is left" gone_within 2
pass
