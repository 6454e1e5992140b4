# rig: vdpa=on mem=2G devices=nvme limit=500 long=yes
# VDUSE: the guest reboots three times, each another way, and then
# crashes; then its drivers let go of the devices and take them again ten times;
# the devices work after every one of these.
. /rig/lib.sh
. /rig/vdpa.sh
rm -f /run/image # what another case left there is not this one's
truncate -s 96M /run/image
make_vduse_blk vd0 /run/image 2
run_guest "info,restarts,rebind bh.net=none bh.woff=8192 bh.seed=$RANDOM" "$NODE"
wait_for 'BH boot 4' 400
expect_good boot 5
note "$(grep -a '^BH reboot by' "$CONSOLE" | tr -d '\r' | sed 's/^BH reboot //' | paste -s -d ' ')"
wait_for 'BH rebind end' 120
expect_good rebind 10
power_off_clean
pass
