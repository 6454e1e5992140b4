# rig: mem=7G devices=nvme iommufd=too limit=240 long=yes
# The same disk round with 5 GiB of guest RAM; the guest must find all of it,
# on either side of the hole below 4 GiB.
. /rig/lib.sh
MEMORY=5G
drive_disk 14336
below=$(field "$INFO" below)
above=$(field "$INFO" above)
note "RAM below 4 GiB: $below MiB, above: $above MiB"
expect "all but a few MiB of 5 GiB is there" [ $((below + above)) -ge 5104 ]
expect "there is RAM above 4 GiB" [ "$above" -ge 1024 ]
expect "there is RAM below 4 GiB" [ "$below" -ge 1024 ]
pass
