# rig: mem=2G devices=nvme,nvme,pair iommufd=too limit=180
# `bulkhead devices` says what is in the way of a disk and the command that removes
# it; that command, run as it stands, does; a guest has the disk; `bulkhead unbind`
# leaves every trace as it was.  The disk the host uses is refused.
. /rig/lib.sh
bulkhead_only
PATH=$PATH:/rig/bin

entry() { bulkhead devices | awk -v d="$1" '/^[^ ]/ { on = ($1 == d) } on'; }
override() { cat "/sys/bus/pci/devices/$1/driver_override"; }
# refused PATTERN COMMAND…: status 1, one line that says it, and no binding changed.
refused() {
    local pattern=$1 before after
    shift
    before=$(find /sys/bus/pci/drivers -name '0000:*')
    "$@" >/run/out 2>/run/err </dev/null && fail "«$*» was not refused"
    note "$* → $(cat /run/err)"
    after=$(find /sys/bus/pci/drivers -name '0000:*')
    expect "one line that says it" [ "$(grep -cE -- "$pattern" /run/err)/$(wc -l </run/err)" = 1/1 ]
    expect "no binding changed" [ "$before" = "$after" ]
}

# What another case of this boot left there is not this one's.
for dev in "$NVME0" "$NVME1"; do echo >"/sys/bus/pci/devices/$dev/driver_override"; done
disk=$(disk_of "$NVME0") || fail "L1 has no disk at $NVME0"
put_data "$disk" 2048 "devices $RANDOM"
sha=$(digest "$disk" 2048)
bulkhead devices | sed 's/^/  | /'
bulkhead devices --json >/run/json || fail "--json ended with $?"
expect "JSON has every function" [ "$(grep -c '"address"' /run/json)" = "$(find /sys/bus/pci/devices/ -mindepth 1 | wc -l)" ]
expect "the disk is on nvme" grep -q 'not ready: bound to nvme$' <<<"$(entry "$NVME0")"
expect "with its 65 vectors" grep -q 'MSI-X 65$' <<<"$(entry "$NVME0")"
expect "and its BAR of 16 KiB" grep -q 'BARs 0: 16K 64-bit' <<<"$(entry "$NVME0")"
command=$(sed -n 's/^ *\$ //p' <<<"$(entry "$NVME0")")
expect "one command is given" [ "$command" = "bulkhead bind $NVME0" ]
bash -c "$command" || fail "«$command» ended with $?"
expect "after it, vfio-pci has the disk" [ "$(driver_of "$NVME0")" = vfio-pci ]
entry "$NVME0" | sed 's/^/  | /'
expect "and it is ready" grep -qx '    ready' <<<"$(entry "$NVME0")"

run_guest "info,read,wait bh.roff=2048" "$NVME0"
wait_for 'BH read sha' 60
expect "a guest reads what the host wrote" [ "$(field "$(said 'read sha')" sha)" = "$sha" ]
refused "$NVME0 is in use by process [0-9]+ \(bulkhead" timeout 20 bulkhead unbind "$NVME0"
expect "the list says so too" grep -q 'not ready: in use by process' <<<"$(entry "$NVME0")"
expect "the guest goes on" vm_alive
kill -9 "$VM"
gone_within $((5 * PATIENCE)) || fail "left behind: $(left_behind)"
bulkhead unbind "$NVME0" || fail "unbind ended with $?"
expect "nvme has the disk again" [ "$(driver_of "$NVME0")" = nvme ]
expect "no override is left" [ "$(override "$NVME0")" = "(null)" ]
expect "no record is left" [ ! -e "/run/bulkhead/bind/$NVME0" ]
disk=$(disk_of "$NVME0") || fail "no disk after unbind"
expect "the host reads what it wrote" [ "$(digest "$disk" 2048)" = "$sha" ]

echo nvme >"/sys/bus/pci/devices/$NVME1/driver_override"
unbind "$NVME1"
bulkhead bind "$NVME1" && bulkhead unbind "$NVME1" || fail "bind and unbind of one without a driver"
expect "what had no driver has none" [ -z "$(driver_of "$NVME1")" ]
expect "and the override it had" [ "$(override "$NVME1")" = nvme ]
echo >"/sys/bus/pci/devices/$NVME1/driver_override"
echo "$NVME1" >/sys/bus/pci/drivers_probe

bulkhead bind "$PAIR0" >/run/out || fail "bind of one of a group"
note "$(cat /run/out)"
expect "the other of its group is named" grep -q "bulkhead bind $PAIR1" /run/out
expect "it was left alone" [ "$(driver_of "$PAIR1")" = nvme ]
bulkhead unbind "$PAIR0" >/run/out || fail "unbind of one of a group"

disk=$(disk_of "$NVME1") || fail "L1 has no disk at $NVME1"
mkswap "$disk" >/run/out 2>&1 && swapon "$disk" || fail "no swap on $disk: $(cat /run/out)"
refused "$NVME1 stays with the host: .*${disk#/dev/} is swap" bulkhead bind "$NVME0" "$NVME1"
expect "the list says what has to end first, and no more" \
    [ "$(sed -n 's/^ *\$ //p' <<<"$(entry "$NVME1")")" = "swapoff $disk" ]
swapoff "$disk"
disk=$(disk_of "$NVME0")
perl -e 'use Fcntl; sysopen(F, $ARGV[0], O_RDONLY | O_EXCL) or die; print "held\n"; sleep 60' "$disk" >/run/held &
holder=$!
for _ in $(seq 100); do [ -s /run/held ] || sleep 0.1; done
refused "$NVME0 stays with the host: .*open in process $holder " bulkhead bind "$NVME0"
kill $holder
wait $holder 2>/dev/null
# Not exclusively: it would be gone under whoever it is.
sleep 60 <"$disk" &
holder=$!
refused "$NVME0 stays with the host: .*open in process $holder " bulkhead bind "$NVME0"
refused "$NVME0 stays with the host: .*open in process $holder " bulkhead bind --force "$NVME0"
kill $holder
wait $holder 2>/dev/null
# The kernel does not get to hear of the second one's override, so nvme takes it again.
mount --bind /dev/null "/sys/bus/pci/devices/$NVME1/driver_override"
bulkhead bind "$NVME0" "$NVME1" >/run/out 2>/run/err && fail "bind without an override"
umount "/sys/bus/pci/devices/$NVME1/driver_override"
note "$(cat /run/err)"
expect "a bind that fails half way names the one that failed" grep -q "$NVME1.*did not take it" /run/err
expect "and leaves both as they were" \
    [ "$(driver_of "$NVME0") $(override "$NVME0") $(driver_of "$NVME1")" = "nvme (null) nvme" ]
expect "with no record" [ -z "$(ls /run/bulkhead/bind)" ]
refused "bridge" bulkhead bind 00:00.0
refused "no such device" bulkhead bind 0000:7f:00.0
refused "not the address" bulkhead bind ../../etc
pass
