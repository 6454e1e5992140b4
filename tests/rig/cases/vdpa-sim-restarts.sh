# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq limit=330
# The simulators: the guest's drivers let go of the devices and take them
# again ten times; the guest reboots three times, each another way, and then
# crashes; the devices work after every one of them.
. /rig/lib.sh
. /rig/vdpa.sh
make_sim_net n0 mac 52:54:00:11:22:33
net=$NODE
make_sim_blk b0
run_guest "info,rebind,restarts bh.net=loop bh.woff=8192 bh.seed=$RANDOM" "$net" "$NODE"
wait_for 'BH rebind end' 120
expect_good rebind 10
wait_for 'BH boot 4' 180
expect_good boot 5
note "$(grep -a '^BH reboot by' "$CONSOLE" | tr -d '\r' | sed 's/^BH reboot //' | paste -s -d ' ')"
power_off_clean
pass
