# rig: mem=2G devices=nvme,old iommufd=too limit=240 long=yes
# Two conventional cards behind a bridge: one IOMMU group, and no reset of their own.
# Passed together, or one of them with the other on vfio-pci, a guest's reboot resets
# the bus they are on. With the other one out of reach it is said that it will not be,
# and the guest reboots all the same.
. /rig/lib.sh
bulkhead_only
OLD0=$(basename "$(echo /sys/bus/pci/devices/0000:00:1c.0/0000:*:01.0)")
OLD1=${OLD0%01.0}02.0
expect "the two share a group" [ "$(group_of "$OLD0")" = "$(group_of "$OLD1")" ]

# reboot_with DEVICE…: a guest that leaves marks, reboots four times, and looks for them.
reboot_with() {
    disk=$(disk_of "$NVME0") || fail "L1 has no disk at $NVME0"
    dd if=/dev/zero of="$disk" bs=1024 seek=15360 count=4 conv=fsync 2>/dev/null
    bind_vfio "$NVME0"
    run_guest "marks,reboots bh.woff=15360" "$NVME0" "$@"
    power_off_clean
    grep -a '^BH mark' "$CONSOLE" | tr -d '\r' | sort | uniq -c | sed 's/^/ /'
    grep 'reset' "$ERR" | grep -v 'boots again' | sort | uniq -c | sed 's/^/  | /'
    expect "a mark is left in $# cards at each of five boots" \
        [ "$(grep -ac '^BH mark.*left=0x0*50' "$CONSOLE")" = $((5 * $#)) ]
    expect "nvme takes its device back" bind_host "$NVME0"
}
marks_found() { grep -ac '^BH mark.*was=0x0*50' "$CONSOLE"; }

bind_vfio "$OLD0"
bind_vfio "$OLD1"
reboot_with "$OLD0" "$OLD1"
# reset_method in sysfs is of the time the card was found, when it was alone on its bus.
expect "neither has a reset of its own" [ "$(grep -c 'no reset of its own: its bus is reset, 2 functions' "$ERR")" = 2 ]
expect "passed together: no boot finds a mark of the one before" [ "$(marks_found)" = 0 ]
reboot_with "$OLD0"
expect "the other on vfio-pci: no boot finds a mark" [ "$(marks_found)" = 0 ]
unbind "$OLD1"
reboot_with "$OLD0"
expect "the other without a driver: the marks stay" [ "$(marks_found)" = 4 ]
expect "and that was said" grep -qi "$OLD0.*reset" "$ERR"
pass
