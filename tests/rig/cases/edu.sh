# rig: mem=6G devices=nvme,nvme,edu iommufd=too limit=200 long=yes
# A device driven by hand: INTx and MSI, raised by a register, by work done and by a
# DMA, MSI on both processors, at each of five boots in one VM; given back, and taken
# by a second VM.
. /rig/lib.sh
. /rig/edu.sh
bulkhead_only
find_edu
disk=$(disk_of "$NVME0") || fail "L1 has no disk at $NVME0"
dd if=/dev/zero of="$disk" bs=1024 seek=15360 count=4 conv=fsync 2>/dev/null
bind_vfio "$NVME0"
bind_vfio "$EDU"
good="BH edu irq alive=1 factorial=120 intx=52 msi=52 of=52"
run_guest "edu,reboots bh.woff=15360" "$NVME0" "$EDU"
wait_for 'BH edu ' 60
wait_for 'BH boot 4' 120
power_off_clean
grep -a '^BH edu' "$CONSOLE" | tr -d '\r' | sort | uniq -c | sed 's/^/ /'
expect "52 interrupts by INTx and 52 by MSI, none lost, at each of five boots" \
    [ "$(grep -ac "^$good" "$CONSOLE")" = 5 ]
grep 'reset' "$ERR" | grep -v 'boots again' | sort | uniq -c | sed 's/^/  | /'
unbind "$EDU"
expect "it has no driver" [ -z "$(driver_of "$EDU")" ]
bind_vfio "$EDU"
run_guest edu "$NVME0" "$EDU"
power_off_clean
expect "a second VM finds it the same" [ "$(said 'edu irq')" = "$good" ]
expect "none of its accesses was stopped" [ -z "$(stopped)" ]
unbind "$EDU"
expect "the disk binds back to nvme" bind_host "$NVME0"
pass
