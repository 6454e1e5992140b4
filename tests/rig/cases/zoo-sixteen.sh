# rig: mem=3G devices=nvme,nvme,e1000e,igb,zoo limit=400 long=yes
# Sixteen NVMe in one guest, of two IOMMU groups, each with a helper of its own; I/O on all at once.
# More memory than the others' host has, and with it a host of its own: the stock kernel once ran out
# of stack in it, and took with it what was to come.
. /rig/lib.sh
. /rig/zoo.sh
take "${SIXTEEN[@]}"
run_guest "$WORDS bh.reads=200 bh.turns=3" "${SIXTEEN[@]}"
boots_and_reads 2 "sixteen NVMe" MSI-X
turns 3
power_off_clean
give_back "${SIXTEEN[@]}"
pass
