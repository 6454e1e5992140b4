# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq limit=150
# vp_vdpa over a virtio-net-pci: a lease, pings and an echo over TCP from QEMU's
# user network; 10,000 ARP round trips at no exit to userspace.  The doorbells
# are pages of the device: the core has them mapped, and KVM emulates no access.
. /rig/lib.sh
. /rig/vdpa.sh
hugepages 512
make_vp p0 "$VNET"
host_mac=$(config_of p0 mac)
run_guest "info,net,dhcp,arp" "$NODE"
wait_for 'BH dhcp ' 90
expect_driver 1 virtio_net
pages=$(doorbells "$NODE")
note "$(said 'net ')"
expect "the guest has the device's MAC" [ "$(field "$(said 'net ')" mac)" = "$host_mac" ]
line=$(said 'dhcp ')
note "$line"
expect "a lease from the user network" [ "$(field "$line" ip)" = 10.0.2.15 ]
expect "its gateway answers pings" [ "$(field "$line" pings)" = 5 ]
expect "TCP works both ways" [ "$(field "$line" echo)" = hello_from_10.0.2.15 ]
note "pages of the node in the core: $pages"
expect_packets "vp_vdpa card" MSI-X
if [ "$RIG_VMM" = bulkhead ]; then
    expect "doorbell pages are mapped" [ "$pages" -ge 2 ]
    expect "and used: KVM emulated no doorbell write" [ "$MMIO" -lt 100 ]
fi
power_off_clean
pass
