# rig: mem=2G devices=nvme,nvme iommufd=too limit=240 long=yes
# SIGTERM presses the guest's power button: what it was writing to is clean then. A guest that does not
# come to its end is cut off by a second one, at once, or after its time; that is another status.
. /rig/lib.sh
bulkhead_only
disk=$(disk_of "$NVME1") || fail "L1 has no disk at $NVME1"
mke2fs=$(find /usr/sbin /cache -name mke2fs -type f | head -n 1)
e2fsck=${mke2fs/mke2fs/e2fsck}
[ -x "$mke2fs" ] && [ -x "$e2fsck" ] || skip "no e2fsprogs"
"$mke2fs" -q -F -t ext4 "$disk" 16384 || fail "no file system made"
bind_vfio "$NVME1"
run_guest info,fs "$NVME1"
wait_for 'BH fs written to' 90
kill -TERM "$VM"
power_off_clean
expect "the guest heard of it" [ -n "$(said 'fs button')" ]
expect "the log says what was done" grep -q 'signal 15: the power button is pressed; the guest has 60 s' "$ERR"
bind_host "$NVME1"
disk=$(disk_of "$NVME1") || fail "no disk after binding back"
"$e2fsck" -n -f "$disk" >"$VM_DIR/fsck" 2>&1
status=$?
tail -n 2 "$VM_DIR/fsck" | sed 's/^/  | /'
expect "e2fsck finds nothing" [ $status = 0 ]

bind_vfio "$NVME1"
run_guest info,fs "$NVME1"
wait_for 'BH fs written to' 90
kill -STOP "$VM" # so that it cannot be quicker than the second
kill -TERM "$VM"
kill -CONT "$VM"
for ((n = 0; n < 100; n++)); do ! grep -q 'the power button is pressed' "$ERR" || break; sleep 0.05; done
kill -TERM "$VM"
wait_exit 5
# A guest that is quick is the other ending.
note "status $STATUS, $(said 'fs ')"
expect "a second SIGTERM ends it at once" [ "$STATUS" = 3 ] || [ "$STATUS" = 0 ]
expect "the device is the host's again" bind_host "$NVME1"

# ends WORD: a guest that will not end by itself; how long it took, and what was said.
ends() {
    local since
    bind_vfio "$NVME1"
    run_guest "info,$1" "$NVME1" -- --shutdown-timeout 3
    wait_for "BH $2" 60
    since=${EPOCHREALTIME/./}
    kill -TERM "$VM"
    wait_exit 20
    TOOK=$(((${EPOCHREALTIME/./} - since) / 1000))
    note "$1: status $STATUS after $TOOK ms"
    grep -E 'power button|powered off' "$ERR" | sed 's/^/  | /'
    expect "it was cut off" [ "$STATUS" = 3 ]
    expect "the device is the host's again" bind_host "$NVME1"
}
ends deaf 'deaf'
expect "a guest that ignores its button has the time it was given" [ "$TOOK" -ge 3000 ]
ends io-forever 'io starts'
expect "one without a driver for it is not waited for" grep -q 'does not listen to its power button' "$ERR"
pass
