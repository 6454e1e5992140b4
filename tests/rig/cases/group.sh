# rig: mem=2G devices=nvme,pair iommufd=too limit=200
# Two functions share an IOMMU group. One is passed with the other left without a
# driver; then both to one guest, each with a helper of its own.
. /rig/lib.sh
expect "the two share a group" [ "$(group_of "$PAIR0")" = "$(group_of "$PAIR1")" ]
bind_vfio "$PAIR0"
unbind "$PAIR1"
run_guest "info,write bh.woff=8192 bh.seed=$RANDOM" "$PAIR0"
power_off_clean
guest_sha=$(field "$(said 'write sha')" sha)
expect "the device binds back to nvme" bind_host "$PAIR0"
disk=$(disk_of "$PAIR0") || fail "no disk after binding back"
expect "what the guest wrote is on the disk" [ "$(digest "$disk" 8192)" = "$guest_sha" ]

bind_vfio "$PAIR0"
bind_vfio "$PAIR1"
devices=("$PAIR0" "$PAIR1")
if [ "$RIG_VMM" = bulkhead ]; then # together, as they are on the host
    devices=(-- --device "path=/sys/bus/pci/devices/$PAIR1,pci_device_id=5,pci_function=1"
        "path=/sys/bus/pci/devices/$PAIR0,pci_device_id=5")
fi
run_guest "info,disks,write,wait bh.woff=4096 bh.seed=$RANDOM" "${devices[@]}"
wait_for 'BH write sha' 90
note "$(said disks)"
expect "the guest has both disks" [ "$(said disks | cut -d ' ' -f 3)" = 2 ]
if [ "$RIG_VMM" = bulkhead ]; then
    expect "as two functions of its device 5" [ "$(field "$(said disks)" at)" = 0000:00:05.0,0000:00:05.1, ]
fi
if [ "$RIG_VMM" = bulkhead ]; then
    expect "each has a helper of its own" [ "$(processes bulkhead-vfio | wc -l)" = 2 ]
fi
kill -9 "$VM"
wait "$VM" 2>/dev/null
gone_within $((2 * PATIENCE)) || fail "left behind: $(left_behind)"
expect "both bind back" eval 'bind_host "$PAIR0" && bind_host "$PAIR1"'
pass
