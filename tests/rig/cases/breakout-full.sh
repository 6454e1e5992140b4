# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq only=asked limit=600
# Our own processes turned evil (tests/breakout/), with every wall a kernel can
# have: an NVMe by VFIO, a simulated disk by vDPA.
. /rig/lib.sh
. /rig/vdpa.sh
. /rig/breakout.sh
make_sim_blk b0
breakout full "$NODE"
