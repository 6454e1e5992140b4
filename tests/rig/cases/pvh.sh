# rig: mem=2G devices=nvme,nvme limit=120
# The same disk round with a PVH ELF vmlinux for a kernel.
. /rig/lib.sh
KERNEL=$VMLINUX
drive_disk 10240
pass
