# rig: mem=2G devices=nvme,nvme,e1000e iommufd=too limit=100
# An expansion ROM: the device's own, a file in its place, and none.  Then the card's BARs, trapped
# whole, and the NVMe's.
. /rig/lib.sh
bulkhead_only
sha() { sha256sum <"$1" | cut -d ' ' -f 1; }
bind_vfio "$E1000E"

run_guest rom "$E1000E"
wait_for 'BH rom end' 60
note "$(said 'rom 0')"
expect "the guest reads the card's own ROM" [ "$(field "$(said 'rom 0')" sha)" = "$(sha /out/rom)" ]
power_off_clean

sed 's/bulkhead rom/another rom!/' /out/rom >/tmp/other
chmod 644 /tmp/other
run_guest rom -- --device "path=/sys/bus/pci/devices/$E1000E,rom=/tmp/other"
wait_for 'BH rom end' 60
note "$(said 'rom 0')"
expect "the guest reads the file in its place" [ "$(field "$(said 'rom 0')" sha)" = "$(sha /tmp/other)" ]
power_off_clean

lend_nvme
run_guest "rom,read bh.roff=2048" -- --device "path=/sys/bus/pci/devices/$E1000E,rom=off" \
    "path=/sys/bus/pci/devices/$NVME0,x_exclude_mmap_bars=[0]"
wait_for 'BH read sha' 90
expect "the guest sees no ROM" [ -z "$(said 'rom 0')" ]
expect "a disk whose BAR is trapped whole is read all the same" [ "$(field "$(said 'read sha')" sha)" = "$HOST_SHA" ]
kill -USR1 "$VM"
power_off_clean
grep -a 'exits to user space' "$ERR" | tail -n 2 | sed 's/^/  | /'
unbind "$E1000E"
expect "the disk binds back" bind_host "$NVME0"
pass
