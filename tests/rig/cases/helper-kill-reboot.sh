# rig: mem=2G devices=nvme,nvme iommufd=too limit=150 long=yes
# A helper is killed and its guest reboots: before another kernel is loaded the
# device is let go of, so that no DMA of the last one reaches it. The guest boots
# without the device, and the host gets it back at the end.
. /rig/lib.sh
bulkhead_only
# What the broker still has of the device.
held() { find "/proc/$broker/fd" -lname '*vfio-device*' -o -lname '/dev/vfio/devices/*' | wc -l; }
disk=$(disk_of "$NVME0") || fail "L1 has no disk at $NVME0"
dd if=/dev/zero of="$disk" bs=1024 seek=28672 count=4 conv=fsync 2>/dev/null
bind_vfio "$NVME0"
run_guest "config,pause20,reboots,wait bh.woff=28672" "$NVME0"
wait_for 'BH config' 60
broker=$(process bulkhead-broker)
expect "the broker has the device in store" [ "$(held)" = 1 ]
kill -9 "$(process bulkhead-vfio)"
wait_for 'BH reboot by' 60
wait_for 'BH disk none' 60
grep -iF "${NVME0#0000:}" "$ERR" | tail -n 4 | sed 's/^/  | /'
expect "the broker has let go of it" [ "$(held)" = 0 ]
expect "and had nothing to say of it" [ "$(grep -c 'bulkhead-broker: warning' "$ERR")" = 0 ]
kill -9 "$VM"
gone_within $((2 * PATIENCE)) || fail "left behind: $(left_behind)"
expect "the device binds back to nvme" bind_host "$NVME0"
disk_of "$NVME0" >/dev/null || fail "no disk after binding back"
pass
