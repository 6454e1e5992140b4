# rig: mem=2G devices=nvme,nvme,e1000e,igb,zoo limit=200 iommufd=too long=yes
# Two NVMe in one guest, I/O on both at once.
. /rig/lib.sh
. /rig/zoo.sh
take "$NVME0" "$NVME1"
run_guest "$WORDS" "$NVME0" "$NVME1"
boots_and_reads 2 "two NVMe" MSI-X
turns 10
power_off_clean
give_back "$NVME0" "$NVME1"
pass
