# rig: vdpa=on boot=full mem=3G devices=nvme,vnet append=vhost_vdpa.max_iotlb_entries=300 limit=120
# RAM in more pieces than the IOTLB takes (300 here) for a device that pins: a
# message that names both ways out; with hugepages, the first of them, it works.
. /rig/lib.sh
. /rig/vdpa.sh
. /rig/refuse.sh
bulkhead_only
make_vp p0 "$VNET"
with_vdpa() { plain --vdpa "path=$1"; }
hugepages 512
MEMORY=512M refuse "RAM in too many pieces" "hugepages=on.*max_iotlb_entries" with_vdpa "$NODE"
MEMORY="512M,hugepages=on"
run_guest "net,arp bh.packets=100" "$NODE"
power_off_clean
note "$(said 'packets end')"
expect "with hugepages=on it works" [ "$(field "$(said 'packets end')" received)" = 100 ]
pass
