# rig: mem=2G devices=nvme,xhcis iommufd=too limit=240
# Two USB controllers that cannot be reset alone: functions of one device, one
# IOMMU group. Passed together, or one of them with the other on vfio-pci, a guest's
# reboot resets the bus they are on. With the other one out of reach it is said at
# the start that it will not be, and the guest reboots all the same.
. /rig/lib.sh
bulkhead_only
XHCI0=$(basename "$(echo /sys/bus/pci/devices/0000:00:1c.0/0000:*:00.0)")
XHCI1=${XHCI0%.0}.1
expect "the two share a group" [ "$(group_of "$XHCI0")" = "$(group_of "$XHCI1")" ]
for bdf in "$XHCI0" "$XHCI1"; do
    expect "$bdf has no reset of its own" [ ! -s "/sys/bus/pci/devices/$bdf/reset_method" ]
done

# reboot_with DEVICE…: a guest that leaves a mark, reboots four times, and looks for it.
reboot_with() {
    disk=$(disk_of "$NVME0") || fail "L1 has no disk at $NVME0"
    dd if=/dev/zero of="$disk" bs=1024 seek=15360 count=4 conv=fsync 2>/dev/null
    bind_vfio "$NVME0"
    run_guest "marks,reboots bh.woff=15360" "$NVME0" "$@"
    power_off_clean
    grep -a '^BH mark' "$CONSOLE" | tr -d '\r' | sort | uniq -c | sed 's/^/ /'
    grep 'reset' "$ERR" | grep -v 'boots again' | sort | uniq -c | sed 's/^/  | /'
    expect "a mark is left in $# controllers at each of five boots" \
        [ "$(grep -ac '^BH mark.*left=0x0*5' "$CONSOLE")" = $((5 * $#)) ]
    bind_host "$NVME0"
}
marks_found() { grep -ac '^BH mark.*was=0x0*5' "$CONSOLE"; }

bind_vfio "$XHCI0"
bind_vfio "$XHCI1"
reboot_with "$XHCI0" "$XHCI1"
expect "passed together: no boot finds a mark of the one before" [ "$(marks_found)" = 0 ]
reboot_with "$XHCI0"
expect "the other on vfio-pci: no boot finds a mark" [ "$(marks_found)" = 0 ]
unbind "$XHCI1"
reboot_with "$XHCI0"
expect "the other without a driver: the marks stay" [ "$(marks_found)" = 4 ]
expect "and that was said" grep -qi "$XHCI0.*reset" "$ERR"
pass
