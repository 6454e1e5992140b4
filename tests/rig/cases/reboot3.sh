# rig: mem=2G devices=nvme,nvme iommufd=too limit=240
# A guest reboots in one process, each time another way: ACPI, 0xCF9, the
# keyboard controller, a triple fault.  It counts its boots on the disk, so the
# device works again after every one of them; the helpers stay the same.
. /rig/lib.sh
disk=$(disk_of "$NVME0") || fail "L1 has no disk at $NVME0"
dd if=/dev/zero of="$disk" bs=1024 seek=15360 count=4 conv=fsync 2>/dev/null
bind_vfio "$NVME0"
run_guest "info,reboots,pause5 bh.woff=15360" "$NVME0"
wait_for 'BH reboot by' 90
before=$(tree_of "$VM" | tr '\n' ' ')
for n in 1 2 3 4; do
    wait_for "BH boot $n" 60
    note "boot $n came after: $(grep -a '^BH reboot by' "$CONSOLE" | sed -n "${n}p" | tr -d '\r')"
    now=$(tree_of "$VM" | tr '\n' ' ')
    expect "the same processes as before ($now)" [ "$now" = "$before" ]
done
power_off_clean
pass
