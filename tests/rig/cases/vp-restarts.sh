# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq limit=330
# vp_vdpa: the guest's drivers let go of the devices and take them
# again ten times; the guest reboots three times, each another way, and then
# crashes; the devices work after every one of them.
. /rig/lib.sh
. /rig/vdpa.sh
hugepages 512
make_vp p0 "$VNET"
net=$NODE
make_vp p1 "$VBLK"
run_guest "info,rebind,restarts bh.net=user bh.woff=8192 bh.seed=$RANDOM" "$net" "$NODE"
wait_for 'BH rebind end' 120
expect_good rebind 10
wait_for 'BH boot 4' 180
expect_good boot 5
note "$(grep -a '^BH reboot by' "$CONSOLE" | tr -d '\r' | sed 's/^BH reboot //' | paste -s -d ' ')"
power_off_clean
pass
