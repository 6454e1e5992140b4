# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq limit=150
# vp_vdpa over a virtio-blk-pci: what the guest wrote is on the backing image;
# 2,000 direct reads at no exit to userspace, doorbells as in vp-net. Its place on the
# disk is its own: the image is looked at when the whole boot is over.
. /rig/lib.sh
. /rig/vdpa.sh
hugepages 512
make_vp p1 "$VBLK"
run_guest "info,write,irq,reads bh.woff=24576 bh.seed=$RANDOM" "$NODE"
wait_for 'BH irq end' 60
expect_driver 2 virtio_blk
pages=$(doorbells "$NODE")
expect_written
expect_reads "vp_vdpa disk" MSI-X
if [ "$RIG_VMM" = bulkhead ]; then
    expect "doorbell pages are mapped" [ "$pages" -ge 1 ]
    expect "and used: KVM emulated no doorbell write" [ "$MMIO" -lt 100 ]
fi
power_off_clean
expect_on_image vblk 24576 "$(field "$(said 'write sha')" sha)"
pass
