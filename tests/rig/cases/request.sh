# rig: mem=2G devices=nvme,nvme iommufd=too limit=100
# The host wants the device back while a guest has it: its unbind waits, the VM
# says so and goes on, and the host has the device as soon as the VM has ended.
. /rig/lib.sh
bulkhead_only
bind_vfio "$NVME0"
run_guest info,io-forever "$NVME0"
wait_for 'BH io starts' 60
unbind "$NVME0" &
host=$!
asked() { grep -q "$NVME0: the host wants the device back" "$ERR"; }
for ((n = 0; n < 100; n++)); do ! asked || break; sleep 0.1; done
grep 'wants' "$ERR" | sed 's/^/  | /'
expect "the VM says what the host wants" asked
expect "the VM goes on" vm_alive
expect "the host waits" kill -0 $host
kill -TERM "$VM"
wait_exit 10
for ((n = 0; n < 100; n++)); do kill -0 $host 2>/dev/null || break; sleep 0.1; done
expect "the host has the device" [ -z "$(driver_of "$NVME0")" ]
expect "it binds to nvme" bind_host "$NVME0"
disk_of "$NVME0" >/dev/null || fail "no disk after binding back"
pass
