# rig: mem=2G devices=nvme,nvme limit=200 iommufd=too long=yes
# A guest without MSI (pci=nomsi): the disk works by INTx, a storm of 10,000 direct
# reads with an interrupt each, none lost and none through userspace. It is the second disk, which no
# other case has a guest on: of the first, used by others, the pin sometimes stayed raised with nothing
# left to fetch, one interrupt at the host and thousands a second in the guest. QEMU's count of
# completions that wait to be fetched (cq_pending) outlives a reset of the controller.
. /rig/lib.sh

lend_nvme "$NVME1"
run_guest "read,write,reads,interrupts bh.roff=2048 bh.woff=24576 bh.seed=$RANDOM bh.reads=10000 pci=nomsi" "$NVME1"
wait_for 'BH read sha' 90
expect_read
wait_for 'BH reads begin' 60
count_begin
wait_for 'BH reads end' 120
count_end
note "$(said 'reads end')"
expect "all 10,000 reads are good" [ "$(said 'reads end')" = "BH reads end n=10000 failed=0" ]
wait_for 'BH end' 60
note "$(said 'interrupts')"
expect_no_exits NVMe INTx 10000 reads
expect "the line is a level-triggered pin" grep -aq '^BH interrupts .*IO-APIC.*fasteoi' "$CONSOLE"
power_off_clean
nvme_back 24576
pass
