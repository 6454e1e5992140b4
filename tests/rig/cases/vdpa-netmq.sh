# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq limit=180
# vp_vdpa over a virtio-net-pci with two pairs of queues: a guest of one processor
# uses one, a guest of two uses both; both have their packets answered.
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
    expect "the guest has vectors for all five queues or for those it uses" \
        [ "$(grep -acE '^BH irqline .*virtio0-(in|out)put' "$CONSOLE")" -ge $((2 * CPUS)) ]
    power_off_clean
done
pass
