# rig: vdpa=on mem=2G devices=nvme only=asked limit=200
# VDUSE's daemon is killed under I/O: the VM lives, the guest sees I/O errors, the
# message names the device.
. /rig/lib.sh
. /rig/vdpa.sh
rm -f /run/image # what another case left there is not this one's
truncate -s 96M /run/image
make_vduse_blk vd0 /run/image 2
run_guest "info,io-errors-background,wait" "$NODE"
wait_for 'BH io starts' 60
sleep 3
said_before=$(wc -l <"$ERR")
kill -9 $DAEMON
for ((n = 0; n < 90; n++)); do
    ! grep -aq '^BH io error' "$CONSOLE" || break
    vm_alive || break
    sleep 1
done
note "$n s after: $(said 'io error')"
tail -n +$((said_before + 1)) "$ERR" >"$VM_DIR/after"
sed 's/^/  | /' "$VM_DIR/after"
expect "the VM lives" vm_alive
expect "the message names the device" grep -q "${NODE##*/}" "$VM_DIR/after"
expect "the guest sees I/O errors" grep -aq '^BH io error' "$CONSOLE"
kill -9 "$VM"
gone_within 2 || fail "left behind: $(left_behind)"
pass
