# rig: mem=2G devices=nvme,nvme limit=120
# The same disk round with one processor: one queue, two vectors.
. /rig/lib.sh
CPUS=1
drive_disk 11264
expect "the guest sees 1 processor" [ "$(field "$INFO" cpus)" = 1 ]
pass
