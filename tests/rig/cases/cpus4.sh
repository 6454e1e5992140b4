# rig: mem=2G devices=nvme,nvme limit=150
# The same disk round with four processors: four queues, five vectors.
. /rig/lib.sh
CPUS=4
drive_disk 12288
expect "the guest sees 4 processors" [ "$(field "$INFO" cpus)" = 4 ]
expect "four queues" [ "$(field "$(said 'irq ')" queues)" = 4 ]
pass
