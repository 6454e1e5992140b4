# rig: vdpa=on boot=full mem=3G cpus=4,threads=2 devices=nvme,vnet,vblk,vnetmq only=asked limit=200
# bulkhead audit on a kernel that has every layer, on a processor with hyper-threads:
# an NVMe by VFIO and a card by vDPA, all layers on, all of them as promised; the VM
# has a core-scheduling cookie, and another VM would have another.
. /rig/lib.sh
. /rig/vdpa.sh
bulkhead_only
mount -t cgroup2 none /sys/fs/cgroup || skip "no cgroup v2 in this kernel"
hugepages 512
make_vp p0 "$VNET"
bind_vfio "$NVME0"
run_guest "info,net-forever bh.net=user" "$NVME0" "$NODE" -- --user 64321
wait_for 'BH net starts' 60
"$BULKHEAD" audit "$VM" >"$VM_DIR/audit" 2>&1
status=$?
sed 's/^/  | /' "$VM_DIR/audit"
expect "as promised" [ "$status" = 0 ]
expect "five processes" [ "$(grep -cE '^[0-9]+ bulkhead(-core|-broker|-vfio|-vdpa)?:' "$VM_DIR/audit")" = 5 ]
if [ "$(cat /sys/devices/system/cpu/smt/active)" = 1 ]; then
    expect "no layer is missing" [ "$(grep -c '^  not here' "$VM_DIR/audit")" = 0 ]
else
    note "no SMT in this host, so no core scheduling"
    expect "no layer is missing, but for core scheduling" \
        [ "$(grep '^  not here' "$VM_DIR/audit" | grep -cv 'core scheduling')" = 0 ]
fi
# What pids.max is worth: from inside the leaf of a helper.
leaf=$(echo /sys/fs/cgroup/bulkhead-*/helper-0)
# shellcheck disable=SC2016
forked=$(dash -c 'echo $$ >"$0/cgroup.procs"; /usr/bin/true; echo it could' "$leaf" 2>&1)
note "a task more in $leaf: $forked"
expect "no second task in a helper's leaf" grep -q 'Cannot fork' <<<"$forked"
kill "$VM"
wait_exit 20
expect "the VM is cut off in order" [ "$STATUS" = 3 ]
umount /sys/fs/cgroup
pass
