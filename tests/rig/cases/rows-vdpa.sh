# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq only=asked limit=150
# For make check-rows: in one VM all that the vDPA helper asks of the kernel. A disk
# with doorbell pages, whose configuration the guest writes to; and one of VDUSE
# whose daemon stands still under I/O for as long as makes the helper ask for a sign
# of life, and then goes on. Then their driver lets go of both and takes them again. At
# last the host removes one of them.
. /rig/lib.sh
. /rig/vdpa.sh
bulkhead_only
hugepages 512
rm -f /run/image # what another case left there is not this one's
truncate -s 64M /run/image
make_vduse_blk vd0 /run/image 2
slow=$NODE
make_vp p1 "$VBLK"
run_guest "info,cache,together,rebind,pause20 bh.rebinds=1" "$NODE" "$slow"
wait_for 'BH together begin' 90
note "$(said cache)"
expect "the guest's write to the configuration reaches the device" \
    [ "$(said cache)" = "BH cache was=write_back is=write_through" ]
kill -STOP "$DAEMON"
asked() { grep -q "${slow##*/}.*its back end is asked for a sign of life" "$ERR"; }
for ((n = 0; n < 400; n++)); do ! asked || break; sleep 0.1; done
kill -CONT "$DAEMON"
expect "the back end is asked for a sign of life" asked
wait_for 'BH rebind' 90
drop p1 &
wait_for 'BH end' 90
grep -a '^BH together .*=' "$CONSOLE" | tr -d '\r' | sed 's/^BH/ /'
for disk in vda vdb; do
    expect "2,000 good reads of $disk" [ "$(said "together $disk")" = "BH together $disk n=2000 failed=0" ]
done
expect_good rebind 1
expect "the device the host has removed was taken from the guest" grep -q 'the host has taken the device back' "$ERR"
wait_exit 20
expect "poweroff ends the process with 0" [ "$STATUS" = 0 ]
pass
