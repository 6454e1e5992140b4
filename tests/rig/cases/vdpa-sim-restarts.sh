# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq limit=500 long=yes
# The simulators: the guest reboots three times, each another way, and then
# crashes; then its drivers let go of the devices and take them again ten times;
# the devices work after every one of these.
. /rig/lib.sh
. /rig/vdpa.sh
make_sim_net n0 mac 52:54:00:11:22:33
net=$NODE
make_sim_blk b0
run_guest "info,restarts,rebind bh.net=loop bh.woff=8192 bh.seed=$RANDOM" "$net" "$NODE"
wait_for 'BH boot 4' 400
expect_good boot 5
note "$(grep -a '^BH reboot by' "$CONSOLE" | tr -d '\r' | sed 's/^BH reboot //' | paste -s -d ' ')"
wait_for 'BH rebind end' 120
expect_good rebind 10
power_off_clean
pass
