# rig: mem=2G devices=nvme,nvme,e1000e,igb,zoo limit=400 iommufd=too long=yes
# A USB controller with a disk on it, besides an NVMe.
. /rig/lib.sh
. /rig/zoo.sh
take "$NVME0"
bind_vfio "$USB"
run_guest "usb,$WORDS bh.reads=1000" "$NVME0" "$USB"
SHAS+=("$(yes usb | head -c 1048576 | sha256sum | cut -d ' ' -f 1)") # as add_usb has it
boots_and_reads 2 "NVMe and USB disk on xHCI" MSI-X
turns 10
power_off_clean
expect_on_image usb 8192 "$(field "$(work_of 2)" wrote)"
give_back "$NVME0"
pass
