# rig: mem=2G devices=nvme,nvme,e1000e limit=250 iommufd=too long=yes
# One network card: the guest reboots with it up, and it is pinged before and after; by
# INTx, MSI and MSI-X in turn, the driver unloaded between them, twelve times in all;
# then the host's own driver takes it back, and it works there.
. /rig/lib.sh
bulkhead_only
disk=$(disk_of "$NVME0") || fail "L1 has no disk at $NVME0"
dd if=/dev/zero of="$disk" bs=1024 seek=20480 count=4 conv=fsync 2>/dev/null
bind_vfio "$NVME0"
bind_vfio "$E1000E"
run_guest "net-up,reboots,net iomem=relaxed bh.woff=20480 bh.ways=acpi" "$NVME0" "$E1000E"
wait_for 'BH boot 1' 150
expect "it answers before a reboot with it up, and after" [ "$(grep -ac '^BH net-up lost=0' "$CONSOLE")" = 2 ]
wait_for 'BH net end' 120
grep -aE '^BH (net|irqline|reboot)' "$CONSOLE" | tr -d '\r' | sed 's/^BH/ /'
for mode in 0 1 2; do
    expect "interrupt mode $mode: every ping is answered, four times over" \
        [ "$(grep -acE "^BH net mode=$mode .*lost=0 " "$CONSOLE")" = 4 ]
done
expect "mode 0 is INTx" [ "$(grep -acE '^BH net mode=0 .*kind=fasteoi' "$CONSOLE")" = 4 ]
expect "mode 1 is MSI" [ "$(grep -acE '^BH net mode=1 .*kind=msi ' "$CONSOLE")" = 4 ]
expect "mode 2 is MSI-X" [ "$(grep -acE '^BH net mode=2 .*kind=msix ' "$CONSOLE")" = 4 ]
power_off_clean
expect "nothing of it was refused" [ "$(grep -c refused "$ERR")" = 0 ]
expect "the host's driver takes it back" eval 'bind_host "$E1000E" && [ "$(driver_of "$E1000E")" = e1000e ]'
expect_link "$E1000E"
pass
