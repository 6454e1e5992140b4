# rig: mem=2G devices=nvme,nvme iommufd=too limit=150
# The main job: a guest reads what the host had put on the disk, writes what the
# host finds there afterwards, one MSI-X vector a queue, 2,000 direct reads at no
# exit to userspace, interrupts on both processors.
. /rig/lib.sh

lend_nvme

run_guest "info,read,write,irq,affinity,config,reads bh.roff=2048 bh.woff=8192 bh.seed=$RANDOM" "$NVME0"
wait_for 'BH up' 60
wait_for 'BH info' 30
note "$(said info)"
wait_for 'BH read sha' 20
expect_read
wait_for 'BH irq ' 20
irq=$(said 'irq ')
note "$irq"
expect "MSI-X, an admin vector and one a queue" \
    [ "$(field "$irq" vectors)" = $(($(field "$irq" queues) + 1)) ]
expect "the mode is MSI-X" [ "$(field "$irq" mode)" = msix, ]

wait_for 'BH reads begin' 60
count_begin
wait_for 'BH reads end' 60
count_end
grep -a '^BH affinity' "$CONSOLE" | tr -d '\r' | sed 's/^BH/ /'
for cpu in 0 1; do
    expect "the reads' interrupts arrive on processor $cpu" \
        [ "$(field "$(said "affinity queue=nvme0q$((cpu + 1)) cpu=$cpu")" interrupts)" -ge 190 ]
    expect "the admin vector follows its affinity to processor $cpu" \
        [ "$(field "$(said "affinity queue=nvme0q0 cpu=$cpu")" interrupts)" -ge 50 ]
done
note "$(said 'reads end')"
expect "all 2,000 reads are good" [ "$(said 'reads end')" = "BH reads end n=2000 failed=0" ]
expect_no_exits NVMe MSI-X 2000 reads

power_off_clean
nvme_back 8192
pass
