# rig: mem=2G devices=nvme,nvme iommufd=too limit=100
# The guest resets its device ten times by function level reset, and reads from it
# after each; then it writes, and the host gets the device back.
. /rig/lib.sh
lend_nvme
run_guest "info,read,flr,write,irq bh.roff=2048 bh.woff=45056 bh.seed=$RANDOM bh.sha=$HOST_SHA" "$NVME0"
wait_for 'BH flr ' 150
note "$(said 'flr ')"
expect "ten resets by FLR, and the data is read after each" [ "$(said 'flr ')" = "BH flr done=10 method=flr" ]
wait_for 'BH irq ' 60
note "$(said 'irq ')"
power_off_clean
expect "nothing of it was refused" [ "$(grep -c refused "$ERR")" = 0 ]
nvme_back 45056
pass
