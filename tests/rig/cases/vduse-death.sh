# rig: vdpa=on mem=2G devices=nvme limit=200 long=yes
# VDUSE's daemon is killed under I/O. Another in its place goes on with the guest's
# requests. When none comes, the VM lives, a message names the device, the guest
# sees I/O errors, those that were waiting and new ones, and all ends in time. The
# device has a name of its own: VDUSE keeps one that is broken.
. /rig/lib.sh
. /rig/vdpa.sh
bulkhead_only
rm -f /run/image # what another case left there is not this one's
truncate -s 96M /run/image
make_vduse_blk vdd /run/image 2
# As long as VDUSE waits for the daemon, and no sooner, the helper asks it for a sign of life.
echo 15 >/sys/class/vduse/vdd/msg_timeout
run_guest "info,io-errors,io-errors" "$NODE"
wait_for 'BH io starts' 60
sleep 3
kill -9 $DAEMON
sleep 3
vduse_daemon vdd /run/image 2
read_bytes() { sed -n 's/^rchar: //p' "/proc/$DAEMON/io"; }
for ((n = 0; n < 20; n++)); do
    sleep 1
    [ "$(read_bytes)" -lt 4000000 ] || break
done
note "$n s after the restart: the new daemon has read $(read_bytes) bytes"
expect "I/O goes on with another daemon" [ "$(read_bytes)" -ge 4000000 ]
expect "the guest has seen no error" [ -z "$(said 'io error')" ]

kill -9 $DAEMON
for ((n = 0; n < 90; n++)); do
    ! grep -aq '^BH io error' "$CONSOLE" || break
    vm_alive || break
    sleep 1
done
note "$n s after: $(said 'io error')"
grep "${NODE##*/}" "$ERR" | tail -n 3 | sed 's/^/  | /'
expect "the VM lives" vm_alive
expect "it was asked when it was due" grep -q "${NODE##*/}.*no request was answered for 15 s" "$ERR"
expect "the message names the device" grep -q "${NODE##*/}.*its back end is dead" "$ERR"
expect "the guest sees I/O errors" grep -aq '^BH io error' "$CONSOLE"
wait_for 'BH end' 30
expect "new requests fail as well" [ "$(grep -ac '^BH io error' "$CONSOLE")" = 2 ]
wait_exit 10
expect "poweroff ends the process with 0" [ "$STATUS" = 0 ]
gone_within 2 || fail "left behind: $(left_behind)"

# Ended while VDUSE still waits for the daemon.
truncate -s 64M /run/image2
make_vduse_blk vde /run/image2 1
run_guest "info,io-errors" "$NODE"
wait_for 'BH io starts' 60
kill -9 $DAEMON
sleep 1
kill -TERM "$VM"
wait_exit 6
note "ended $(tail -n 2 "$ERR" | sed 's/^/| /')"
expect "it says what it waited for" grep -q 'of VDUSE does not whose daemon is gone' "$ERR"
gone_within 2 || fail "left behind: $(left_behind)"
pass
