# rig: boot=full arguments=--platform=iommufd=on mem=2G devices=nvme,nvme only=asked limit=150
# Linux 6.6 to 6.12 have iommufd, but map no memory by file for it. On a kernel made to
# answer as they do, guest RAM is mapped by address, and a guest drives its disk; then
# another two.
. /rig/lib.sh
bulkhead_only
start() {
    /rig/bin/no-map-file "$@" >"$VM_DIR/stdout" 2>"$ERR" </dev/null &
    VM=$!
}
drive_disk 19456
grep 'for DMA' "$ERR" | sed 's/^/  | /'
expect "by iommufd" grep -q 'devices by iommufd' "$ERR"
expect "and by address" grep -q 'mapped for DMA by address' "$ERR"
bind_vfio "$NVME0"
bind_vfio "$NVME1"
run_guest disks "$NVME0" "$NVME1"
wait_for 'BH disks 2' 60
power_off_clean
expect "that too was mapped by address" grep -q 'mapped for DMA by address' "$ERR"
pass
