# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq limit=120
# vdpa_sim_blk: the guest's virtio_blk reads back what it wrote; 2,000 direct
# reads at no exit to userspace.
. /rig/lib.sh
. /rig/vdpa.sh
make_sim_blk b0
run_guest "info,write,irq,reads bh.woff=8192 bh.seed=$RANDOM" "$NODE"
wait_for 'BH irq end' 60
expect_driver 2 virtio_blk
expect "it is as large as the simulator's" [ "$(field "$(said 'block vda')" sectors)" = 262144 ]
expect_written
expect_reads vdpa_sim_blk MSI-X
power_off_clean
pass
