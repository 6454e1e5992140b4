# rig: mem=2G devices=nvme,edu,shared iommufd=too limit=150 long=yes
# DMA from device to device: with x_p2p=on on the one, the other writes into its BAR and reads it
# back, also after a reboot; without, each access faults in the IOMMU. By iommufd the start says that
# there is no such thing, and goes on.
. /rig/lib.sh
. /rig/edu.sh
bulkhead_only
find_edu
for dev in /sys/bus/pci/devices/*; do
    [ "$(cat "$dev/vendor")$(cat "$dev/device")" != 0x1af40x1110 ] || SHARED=${dev##*/}
done
disk=$(disk_of "$NVME0") || fail "L1 has no disk at $NVME0"
dd if=/dev/zero of="$disk" bs=1024 seek=15360 count=4 conv=fsync 2>/dev/null
bind_vfio "$NVME0"
bind_vfio "$EDU"
bind_vfio "$SHARED"
shared=path=/sys/bus/pci/devices/$SHARED

# reached N: the guest's boots whose device reached the BAR, by its first and last page.
reached() { [ "$(grep -ac '^BH edu reach .* there=2 back=2 of=2' "$CONSOLE")" = "$1" ]; }
# expect_stopped: reads and writes of both pages were stopped, and nothing else.
expect_stopped() {
    base=$(field "$(said 'edu reach')" base)
    for page in "$base" $((base + 0xf000)); do
        echo "$(page_of "$page") 0"
        echo "$(page_of "$page") 1"
    done >/run/expected
    expect "nothing of it arrived" grep -aq '^BH edu reach .* there=0 back=0 of=2' "$CONSOLE"
    expect "each access was stopped, and no other" cmp -s <(stopped) <(sort -u /run/expected)
}

run_guest "p2p,reboots bh.woff=15360 bh.ways=pci" "$NVME0" "$EDU" -- --device "$shared,x_p2p=on"
power_off_clean
grep -a '^BH edu' "$CONSOLE" | tr -d '\r' | sed 's/^/  | /'
grep -a 'x_p2p\|reached by DMA' "$ERR" | sed 's/^/  | /'
if grep -q 'iommufd=on' /rig/arguments; then
    expect "the start says what is missing" \
        grep -q "x_p2p=on: no device reaches its BAR 2 by DMA: .*iommufd=off" "$ERR"
    expect_stopped
else
    expect "the other device's DMA reaches the BAR, at both boots" reached 2
    expect "none of its accesses was stopped" [ -z "$(stopped)" ]
    run_guest p2p "$NVME0" "$EDU" "$SHARED"
    power_off_clean
    expect_stopped
fi
unbind "$EDU"
unbind "$SHARED"
expect "the disk binds back to nvme" bind_host "$NVME0"
pass
