# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq limit=150
# vdpa_sim_net: MAC and MTU as provisioned, 10,000 frames through its loop-back
# with counters rising on both sides, another MAC through the control queue.
. /rig/lib.sh
. /rig/vdpa.sh
make_sim_net n0 mac 52:54:00:11:22:33 mtu 1400
run_guest "info,net,loop,mac,pause25" "$NODE"
wait_for 'BH net ' 60
expect_driver 1 virtio_net
note "$(said 'net ')"
expect "the guest has the MAC as provisioned" [ "$(field "$(said 'net ')" mac)" = 52:54:00:11:22:33 ]
expect "and the MTU" [ "$(field "$(said 'net ')" mtu)" = 1400 ]
expect_packets vdpa_sim_net MSI-X
wait_for 'BH packets counted' 30
note "$(said 'packets counted')"
expect "the guest's counters rose by as many" \
    [ "$(field "$(said 'packets counted')" tx)" -ge 10000 -a "$(field "$(said 'packets counted')" rx)" -ge 10000 ]
vdpa_tool dev vstats show n0 qidx 1 | sed 's/^/  /'
expect "the simulator's counter rose as well" [ "$(stat_of n0 1 'tx packets')" -ge 10000 ]
wait_for 'BH mac ' 60
line=$(said 'mac ')
note "$line"
expect "frames to the new MAC come back" [ "$(field "$line" received)" = 200 ]
expect "frames to the old one do not" [ "$(field "$line" old_received)" = 0 ]
expect "the device has the new MAC" [ "$(config_of n0 mac)" = 56:be:ef:01:02:03 ]
expect "and it came by the control queue" [ "$(stat_of n0 2 'cvq successes')" -ge 1 ]
power_off_clean
pass
