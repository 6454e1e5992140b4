# rig: mem=2G devices=nvme,nvme limit=150
# The same disk round with four processors, two threads a core: four queues, five vectors.
. /rig/lib.sh
CPUS=4
TOPOLOGY=2:2:1:1
drive_disk 12288
expect "the guest sees 4 processors" [ "$(field "$INFO" cpus)" = 4 ]
expect "two of them are a core" [ "$(field "$INFO" core0)" = 0-1 ]
expect "four queues" [ "$(field "$(said 'irq ')" queues)" = 4 ]
pass
