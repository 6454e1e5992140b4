# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq limit=150
# An NVMe by VFIO, a card by vp_vdpa and a disk by VDUSE in one guest, I/O on all
# of them in the same seconds.
. /rig/lib.sh
. /rig/vdpa.sh
hugepages 512
rm -f /run/image # what another case left there is not this one's
truncate -s 96M /run/image
make_vduse_blk vd0 /run/image 2
disk=$NODE
make_vp p0 "$VNET"
bind_vfio "$NVME0"
run_guest "info,write,net,together bh.net=user bh.woff=8192 bh.seed=$RANDOM" "$NVME0" "$NODE" "$disk"
wait_for 'BH together begin' 90
note "$(said devices)"
expect_written
count_between together
wait_for 'BH end' 60
grep -a '^BH together .*=' "$CONSOLE" | tr -d '\r' | sed 's/^BH/ /'
expect "2,000 good reads of the NVMe" [ "$(said 'together nvme0n1')" = "BH together nvme0n1 n=2000 failed=0" ]
expect "2,000 good reads of the VDUSE disk" [ "$(said 'together vda')" = "BH together vda n=2000 failed=0" ]
expect "10,000 round trips of the card" \
    [ "$(said 'together eth0')" = "BH together eth0 sent=10000 received=10000 bad=0 lost=0" ]
expect_no_exits "NVMe, VDUSE disk and vp_vdpa card at once" MSI-X 14000 "reads and packets"
power_off_clean
pass
