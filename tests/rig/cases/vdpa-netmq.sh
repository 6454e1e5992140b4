# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq limit=180
# vp_vdpa over a virtio-net-pci with two pairs of queues.  QEMU shows the second
# only to a driver that took VIRTIO_NET_F_MQ, so vp_vdpa, which counts before, has
# three queues for a configuration that speaks of two pairs: the guest must get a
# card of one pair that works, with one processor and with two.
. /rig/lib.sh
. /rig/vdpa.sh
hugepages 512
make_vp p2 "$VNETMQ"
for CPUS in 1 2; do
    run_guest "net,arp,irq,info bh.packets=2000" "$NODE"
    wait_for 'BH block\|BH end' 120
    note "$CPUS processors: $(said 'net ') $(said 'packets end')"
    grep -a '^BH irqline' "$CONSOLE" | tr -d '\r' | sed 's/^BH/ /'
    expect "2,000 round trips" [ "$(said 'packets end')" = "BH packets end sent=2000 received=2000 bad=0 lost=0" ]
    expect "the guest uses one pair" [ "$(field "$(said 'net ')" queues)" = 1 ]
    power_off_clean
done
pass
