# rig: mem=6G devices=nvme,nvme,edu iommufd=too limit=300 long=yes
# A guest program makes a device read and write at addresses of every class.  The
# guest's RAM is reached, to its first and last byte; everything else faults in the
# IOMMU, each access of it, and harms no page of the host, no device and no BAR; the
# host's log names the device.  Meanwhile the guest reads its disk.  Before, as a
# check of all this, the host has the device write to a page like the one that is safe.
. /rig/lib.sh
. /rig/edu.sh
bulkhead_only
find_edu
MEMORY=3584M
low_end=0xc0000000 high=0x100000000 high_end=0x120000000

# By the host's own way (iommu=pt) the device reaches any page.
coproc canary { /rig/bin/canary; }
read -r word canary_at <&"${canary[0]}"
echo 1 >"/sys/bus/pci/devices/$EDU/enable"
note "$(/rig/bin/eduio try "$EDU" "$canary_at=0x12345")"
echo >&"${canary[1]}"
read -r word <&"${canary[0]}"
expect "without a VM the device changes the host's page at $canary_at" [ "$word" = changed ]
echo 0 >"/sys/bus/pci/devices/$EDU/enable"
wait

coproc canary { /rig/bin/canary 0x0-$low_end $high-$high_end; }
read -r word canary_at <&"${canary[0]}"
expect "a page of the host lies at $canary_at, where the guest has no RAM" [ "$word" = canary ]
read -r host_bar _ <"/sys/bus/pci/devices/$NVME1/resource"
host_bar=$(printf '0x%x' $((host_bar + 0x14)))
other_disk=$(disk_of "$NVME1") || fail "L1 has no disk at $NVME1"
put_data "$other_disk" 1024 "$CASE $RANDOM"
other_sha=$(digest "$other_disk" 1024)
disk=$(disk_of "$NVME0") || fail "L1 has no disk at $NVME0"
put_data "$disk" 2048 "$CASE $RANDOM"
host_sha=$(digest "$disk" 2048)
bind_vfio "$NVME0"
bind_vfio "$EDU"
before=$(stray)

ram=0xa0000,0x20000000,0xbfff0000,$high,0x11fff0000
# Interrupts, first, as the host's log is all there is of them: by a handle that is nobody's, and in
# compatibility format, to processor 0 (VT-d 5.1.2).
tries=0xfeee0010,0xfee00000=0x60
# The guest's windows; what the platform has below 4 GiB; above RAM; AMD's hole; both sides of what the
# IOMMU translates.
tries+=,$low_end,0xd0000000,0xf0000000,0xfec00000,0xfeffd000,0xfffff000,$high_end,$canary_at,$host_bar
tries+=,0xfd00000000,0x7ffffffff000,0x800000000000,0x1000000000000,0xfffffffffffff000
areas="64K\$0x20000000,64K\$0xbfff0000,64K\$$high,64K\$0x11fff0000"
run_guest "info,io-background,dma,read bh.roff=2048 bh.ram=$ram bh.edge=$low_end,$high_end bh.try=$tries memmap=$areas" \
    "$NVME0" "$EDU"
wait_for 'BH dma end' 150
grep -aE '^BH (own|edu)' "$CONSOLE" | tr -d '\r' | sed 's/^BH/ /'
stopped >/run/stopped
sed 's/^/  | stopped: /' /run/stopped
logged_of_edu | sed 's/^/  | /'

for base in ${ram//,/ }; do
    expect "RAM at $base is reached both ways, and nothing beside" \
        grep -aq "^BH edu reach base=$base there=2 back=2 of=2" "$CONSOLE"
done
for end in $low_end $high_end; do
    expect "a write across the end of RAM at $end arrives as far as it" \
        grep -aq "^BH edu edge end=$end inside=1" "$CONSOLE"
done
outside=0
: >/run/expected
for address in $(tr , '\n' <<<"$tries" | grep -v ^0xfee) $(said own | sed 's/BH own//'); do
    outside=$((outside + 1))
    for write in 0 1; do
        echo "$(page_of "$address") $write" >>/run/expected
        expect "at $address a $([ $write = 1 ] && echo write || echo read) is stopped" \
            grep -qxF "$(page_of "$address") $write" /run/stopped
    done
done
expect "nothing else of it was stopped" cmp -s /run/stopped <(sort -u /run/expected)
expect "the host's log names the device ($(logged_of_edu | wc -l) times, the others are rate-limited)" \
    [ "$(logged_of_edu | wc -l)" -gt 0 ]
expect "an interrupt by a handle that is nobody's is blocked" grep -q 'INTR-REMAP.*fault reason 0x22\]' <(logged)
expect "every try came to its end, the device alive" \
    [ "$(grep -acE '^BH edu try .* alive=1' "$CONSOLE")" = $((outside + 2)) ]
expect "no read from outside brought anything" \
    [ "$(grep -aE '^BH edu try' "$CONSOLE" | grep -cvE 'got=0x(0|4b52414d|ffffffff) ')" = 0 ]

wait_for 'BH read sha' 60
expect "the guest's disk has what the host wrote" [ "$(field "$(said 'read sha')" sha)" = "$host_sha" ]
expect "no read of its disk failed meanwhile" [ "$(grep -ac '^BH io error' "$CONSOLE")" = 0 ]
power_off_clean
echo >&"${canary[1]}"
read -r word <&"${canary[0]}"
expect "the host's page is as it was" [ "$word" = intact ]
note "before: $before; after: $(stray)"
if grep -q 'INTR-REMAP.*fault reason 0x25\]' <(logged); then
    expect "no interrupt reached the host that was not its own" [ "$(stray)" = "$before" ]
else
    note "not shown: this QEMU lets interrupts in compatibility format through, which Linux has VT-d block"
fi
expect "the host's own disk works and is unchanged" [ "$(digest "$other_disk" 1024)" = "$other_sha" ]
expect "the guest's disk binds back to nvme" bind_host "$NVME0"
expect "and is unchanged" [ "$(digest "$(disk_of "$NVME0")" 2048)" = "$host_sha" ]
unbind "$EDU"
pass
