# rig: mem=2G devices=nvme,nvme iommufd=too limit=100
# The guest resets its device ten times by function level reset, and reads from it
# after each; then it writes, and the host gets the device back.
. /rig/lib.sh
disk=$(disk_of "$NVME0") || fail "L1 has no disk at $NVME0"
put_data "$disk" 2048 "flr $RANDOM"
host_sha=$(digest "$disk" 2048)
bind_vfio "$NVME0"
run_guest "info,read,flr,write,irq bh.roff=2048 bh.woff=45056 bh.seed=$RANDOM bh.sha=$host_sha" "$NVME0"
wait_for 'BH flr ' 150
note "$(said 'flr ')"
expect "ten resets by FLR, and the data is read after each" [ "$(said 'flr ')" = "BH flr done=10 method=flr" ]
wait_for 'BH irq ' 60
note "$(said 'irq ')"
power_off_clean
expect "nothing of it was refused" [ "$(grep -c refused "$ERR")" = 0 ]
guest_sha=$(field "$(said 'write sha')" sha)
expect "the device binds back to nvme at once" bind_host "$NVME0"
disk=$(disk_of "$NVME0") || fail "no disk after binding back"
expect "what the guest wrote is on the disk" [ "$(digest "$disk" 45056)" = "$guest_sha" ]
expect_on_image 0 45056 "$guest_sha"
pass
