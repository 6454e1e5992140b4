# rig: vdpa=on mem=2G devices=nvme limit=90 long=yes
# A change of the device's configuration reaches the guest: VDUSE's image grows,
# and so does the guest's disk.
. /rig/lib.sh
. /rig/vdpa.sh
rm -f /run/image # what another case left there is not this one's
truncate -s 96M /run/image
make_vduse_blk vd0 /run/image 2
run_guest "info,pause6,info" "$NODE"
wait_for 'BH block' 60
expect "the disk has 96 MiB" [ "$(field "$(said 'block vda')" sectors)" = 196608 ]
qmp block_resize '"node-name": "f-vd0", "size": 134217728'
power_off_clean
grep -a 'capacity change' "$CONSOLE" | tr -d '\r' | sed 's/^/  /'
expect "and 128 MiB after it grew" [ "$(field "$(said 'block vda')" sectors)" = 262144 ]
pass
