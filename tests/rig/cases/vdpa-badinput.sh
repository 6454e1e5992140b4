# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq limit=150
# What an operator can get wrong with --vdpa: each ends with status 1 and one
# message that names the node and the cause, with nothing left running.
. /rig/lib.sh
. /rig/vdpa.sh
. /rig/refuse.sh
bulkhead_only

with_vdpa() { plain --vdpa "path=$1"; }
as_user() { setpriv --reuid 1000 --regid 1000 --clear-groups -- bash -c '. /rig/lib.sh; . /rig/refuse.sh; INITRAMFS=/rig/vguest.cpio; ulimit -l 64; "$@"' as-user plain --vdpa "path=$1"; }
twice() { plain --vdpa "path=$1" --vdpa "path=$1"; }
without_path() { plain --vdpa num_queues=1; }

make_sim_blk b0
sim=$NODE
make_vp p0 "$VNET"

refuse "node missing" "vhost-vdpa-77" with_vdpa /dev/vhost-vdpa-77
refuse "another character device" "/dev/null.*vhost-vdpa" with_vdpa /dev/null
refuse "a VFIO node" "/dev/vfio/vfio.*vhost-vdpa" with_vdpa /dev/vfio/vfio
truncate -s 1M /run/file
refuse "a file" "/run/file.*vhost-vdpa" with_vdpa /run/file
refuse "a folder" "/run.*vhost-vdpa" with_vdpa /run
refuse "no path" "path" without_path
refuse "an option there is not" "colour" with_vdpa "$sim,colour=red"
refuse "the same node twice" "${sim##*/}.*twice" twice "$sim"
chmod 600 "$sim"
refuse "no rights on the node" "$sim" as_user "$sim"
chmod 666 "$NODE"
refuse "RLIMIT_MEMLOCK too low" "memlock" as_user "$NODE"
chmod 600 "$NODE"

run_guest wait "$sim"
wait_for 'BH devices' 60
OTHER_VM=$VM
refuse "node in use by another" "${sim##*/}.*(use|busy)" with_vdpa "$sim"
expect "the other one goes on" vm_alive
kill -9 "$VM"
OTHER_VM=
gone_within 2 || fail "left behind: $(left_behind)"
run_guest info "$sim"
power_off_clean
pass
