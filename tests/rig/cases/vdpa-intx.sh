# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq limit=120
# A guest without MSI (pci=nomsi): disk and card work by INTx.
. /rig/lib.sh
. /rig/vdpa.sh
make_sim_net n0 mac 52:54:00:11:22:33
net=$NODE
make_sim_blk b0
run_guest "info,write,net,loop,irq bh.packets=500 bh.woff=8192 bh.seed=$RANDOM pci=nomsi" "$net" "$NODE"
wait_for 'BH irq end' 90
grep -aE '^BH (virtio|irqline)' "$CONSOLE" | tr -d '\r' | sed 's/^BH/ /'
expect "no device of the guest uses MSI" [ "$(grep -acE '^BH virtio .*vectors=0 ' "$CONSOLE")" = 2 ]
expect_written
note "$(said 'packets end')"
expect "500 frames came back whole" \
    [ "$(said 'packets end')" = "BH packets end sent=500 received=500 bad=0 lost=0" ]
power_off_clean
pass
