# rig: mem=2G devices=nvme,nvme,e1000e,igb,zoo limit=300 iommufd=too long=yes
# Three NVMe with 2,048 vectors each in one guest, I/O on all of them at once: the host arms as
# many interrupts as the guest uses.  Then one of them alone, its driver unloaded and loaded ten times:
# some 8,000 trapped accesses each time, and an emulated processor does not always survive thirty.
. /rig/lib.sh
. /rig/zoo.sh
take "${VECTORS[@]}"
run_guest "each,pause10,${WORDS#each,} bh.turns=1" "${VECTORS[@]}"
wait_for 'BH each end' 90
grep 'vfio-msix' /proc/interrupts >/run/armed
for n in 0 1 2; do
    line=$(grep -a "^BH each $(in_guest $((n + 1))) " "$CONSOLE" | tail -n 1 | tr -d '\r')
    armed=$(grep -c "${VECTORS[n]}" /run/armed)
    note "${VECTORS[n]}: the guest has $(field "$line" vectors) vectors, the host's /proc/interrupts $armed"
    expect "as many are armed as used" [ "$armed" = "$(field "$line" vectors)" ]
done
boots_and_reads 2 "three NVMe of 2,048 vectors" MSI-X
turns 1
power_off_clean
give_back "${VECTORS[@]}"
take "${VECTORS[0]}"
run_guest "each,all,turns ${WORDS#* }" "${VECTORS[0]}"
turns 10
power_off_clean
give_back "${VECTORS[0]}"
pass
