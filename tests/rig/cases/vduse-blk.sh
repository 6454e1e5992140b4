# rig: vdpa=on mem=2G devices=nvme limit=180
# VDUSE on the stock kernel: a disk of two queues, an ext4 with 24 files that are
# the same after mounting again; 2,000 direct reads at no exit to userspace.
. /rig/lib.sh
. /rig/vdpa.sh
rm -f /run/image # what another case left there is not this one's
truncate -s 96M /run/image
make_vduse_blk vd0 /run/image 2
run_guest "info,fs,write,irq,reads bh.woff=65536 bh.seed=$RANDOM" "$NODE"
wait_for 'BH fs ' 120
expect_driver 2 virtio_blk
note "$(said 'block vda')"
expect "the guest uses both queues" [ "$(field "$(said 'block vda')" queues)" = 2 ]
line=$(said 'fs ')
note "$line"
expect "ext4: 24 files, the same after mounting again" \
    [ "$(field "$line" before)" = "$(field "$line" after)" -a "$(field "$line" files)" = 24 -a "$(field "$line" ext4)" = 1 ]
expect_written
expect_reads "VDUSE disk" MSI-X
power_off_clean
expect "what the guest wrote is in the image" \
    [ "$(digest /run/image 65536)" = "$(field "$(said 'write sha')" sha)" ]
expect "and an ext4 begins there" [ "$(dd if=/run/image bs=1 skip=1080 count=2 2>/dev/null | od -A n -t x1 | tr -d ' ')" = 53ef ]
pass
