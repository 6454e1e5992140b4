# rig: mem=2G devices=nvme,nvme,e1000e,igb,zoo limit=200 iommufd=too long=yes
# An NVMe with 16 MiB of memory of its own (CMB, NVMe 2.0 8.5) in BAR 2: the guest reads there what it
# wrote. (Its driver has its queues there only with PCI_P2PDMA, which Debian 12's kernel is without.)
. /rig/lib.sh
. /rig/zoo.sh
take "$CMB"
run_guest "bar,$WORDS" "$CMB"
wait_for 'BH bar begin' 90
expect "the guest sees all of it" [ "$(field "$(said 'bar begin')" size)" = 16777216 ]
count_begin
wait_for 'BH bar end' 90
count_end
wait_for 'BH at .* each' 30
expect_pieces 1
expect_no_exits "NVMe's memory (CMB)" none "$(field "$(said 'bar end')" accesses)" "accesses"
boots_and_reads 2 "NVMe with a CMB" MSI-X
turns 10
power_off_clean
give_back "$CMB"
pass
