# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq limit=500 long=yes
# vp_vdpa: the guest reboots three times, each another way, and then
# crashes; then its drivers let go of the devices and take them again ten times;
# the devices work after every one of these.
. /rig/lib.sh
. /rig/vdpa.sh
hugepages 512
make_vp p0 "$VNET"
net=$NODE
make_vp p1 "$VBLK"
run_guest "info,restarts,rebind bh.net=user bh.woff=8192 bh.seed=$RANDOM" "$net" "$NODE"
wait_for 'BH boot 4' 400
expect_good boot 5
note "$(grep -a '^BH reboot by' "$CONSOLE" | tr -d '\r' | sed 's/^BH reboot //' | paste -s -d ' ')"
wait_for 'BH rebind end' 120
expect_good rebind 10
power_off_clean
pass
