# rig: mem=2G devices=nvme,nvme iommufd=too limit=120
# The same disk round with guest RAM in 2 MiB hugepages; they are used while the
# guest runs and are given back at its end.
. /rig/lib.sh
bulkhead_only
echo 3 >/proc/sys/vm/drop_caches
echo 1 >/proc/sys/vm/compact_memory
echo 280 >/proc/sys/vm/nr_hugepages
free_pages() { awk '/HugePages_Free/ { print $2 }' /proc/meminfo; }
before=$(free_pages)
[ "$before" -ge 260 ] || skip "L1 could set aside only $before hugepages"
MEMORY=512M,hugepages=on
drive_disk 13312
expect "all hugepages are free again" [ "$(free_pages)" = "$before" ]
expect "and none is still reserved" [ "$(awk '/HugePages_Rsvd/ { print $2 }' /proc/meminfo)" = 0 ]

bind_vfio "$NVME0"
run_guest wait "$NVME0"
wait_for 'BH disk' 60
during=$(free_pages)
note "hugepages free before $before, while the guest runs $during"
expect "the guest's 256 hugepages are in use" [ $((before - during)) -ge 256 ]
kill -9 "$VM"
gone_within 2 || fail "left behind: $(left_behind)"
echo 0 >/proc/sys/vm/nr_hugepages
pass
