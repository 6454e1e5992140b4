# rig: mem=2G devices=nvme,old,e1000e iommufd=too only=asked limit=300
# For make check-rows: in one VM all that broker and VFIO helper ask of the kernel. A
# disk, and a card whose bus is reset with it. The guest reboots, which resets both;
# then the card's helper is killed, and the next reboot lets go of the card; then the
# host takes the disk back. In another, what the core asks for a card's ROM.
. /rig/lib.sh
bulkhead_only
OLD0=$(basename "$(echo /sys/bus/pci/devices/0000:00:1c.0/0000:*:01.0)")
disk=$(disk_of "$NVME0") || fail "L1 has no disk at $NVME0"
dd if=/dev/zero of="$disk" bs=1024 seek=15360 count=4 conv=fsync 2>/dev/null
bind_vfio "$OLD0"
bind_vfio "${OLD0%01.0}02.0"
bind_vfio "$NVME0"

# helper_of SLOT: the pid of the VM's helper with the device of that slot, which its command line ends with.
helper_of() {
    local pid
    for pid in $(processes bulkhead-vfio); do
        if [ "$(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -d ' ' -f 5)" = "$1" ]; then echo "$pid"; fi
    done
}

# until_marks COUNT SECONDS: until that many boots have found the card.
until_marks() {
    local end=$((SECONDS + $2 * PATIENCE))
    until [ "$(grep -ac '^BH mark.*left=0x0*50.$' "$CONSOLE")" -ge "$1" ]; do
        vm_alive || fail "the VMM ended before boot $1 with the card"
        ((SECONDS < end)) || fail "no boot $1 with the card within $(($2 * PATIENCE)) s"
        sleep 0.1
    done
}

# What the broker still has of devices.
held() { find "/proc/$broker/fd" -lname '*vfio-device*' -o -lname '/dev/vfio/devices/*' | wc -l; }

{ printf '\x55\xaa\x01'; head -c 509 /dev/zero; } >/tmp/rom # read by the core, with offsets
run_guest "marks,pause5,reboots,io-forever bh.woff=15360 bh.ways=acpi,pci" "$NVME0" \
    -- --device "path=/sys/bus/pci/devices/$OLD0,rom=/tmp/rom"
until_marks 1 60
broker=$(process bulkhead-broker)
helper=$(helper_of 1)
expect "the card has a helper ($helper)" [ -n "$helper" ]
expect "the broker has both in store" [ "$(held)" = 2 ]
until_marks 2 60
kill -9 "$helper" # within the five seconds before the next reboot
expect "its reset takes what the first boot had left in the card" [ "$(grep -ac '^BH mark.*was=0x0*50' "$CONSOLE")" = 0 ]
wait_for 'BH io starts' 60
expect "the broker has let go of the card" [ "$(held)" = 1 ]
expect "the third boot has no card" [ "$(grep -ac '^BH mark' "$CONSOLE")" = 2 ]
unbind "$NVME0" &
host=$!
for ((n = 0; n < 600; n++)); do kill -0 $host 2>/dev/null || break; sleep 0.1; done
grep -E 'wants|taken|reset|ended' "$ERR" | sed 's/^/  | /'
expect "the host has the disk" [ -z "$(driver_of "$NVME0")" ]
expect "the VM goes on" vm_alive
kill -QUIT "$VM"
wait_exit 10
expect "the VM is cut off in order" [ "$STATUS" = 3 ]

bind_vfio "$E1000E"
run_guest rom "$E1000E"
wait_for 'BH rom end' 60
power_off_clean
pass
