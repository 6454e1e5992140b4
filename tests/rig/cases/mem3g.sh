# rig: mem=5G devices=nvme limit=240
# The same disk round with 3 GiB of guest RAM; the guest must find all of it,
# on either side of the hole below 4 GiB.
. /rig/lib.sh
MEMORY=3G
drive_disk 14336
below=$(field "$INFO" below)
above=$(field "$INFO" above)
note "RAM below 4 GiB: $below MiB, above: $above MiB"
expect "all but a few MiB of 3 GiB is there" [ $((below + above)) -ge 3056 ]
pass
