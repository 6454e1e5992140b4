# rig: vdpa=on mem=2G devices=nvme only=asked limit=600
# Our own processes turned evil (tests/breakout/), on the stock kernel: an NVMe by
# VFIO, a disk by VDUSE.
. /rig/lib.sh
. /rig/vdpa.sh
. /rig/breakout.sh
rm -f /run/image
truncate -s 96M /run/image
make_vduse_blk vd0 /run/image 2
breakout stock "$NODE"
