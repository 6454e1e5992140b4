# rig: mem=2G devices=nvme,nvme only=asked limit=200
# What `make demo` shows; the lines for the person go to /out/show.
. /rig/lib.sh
. /rig/confinement.sh

show() { printf '%s\n' "$*" >>/out/show; }
head_line() { show ""; show "── $* "; }
give_up() { show ""; show "It stopped here: $*"; fail "$*"; }

disk=$(disk_of "$NVME0") || give_up "the host has no NVMe at $NVME0"
head_line "A host with an IOMMU, VFIO and KVM is up"
show "Linux $(uname -r), $(nproc) processors; NVMe $NVME0 in IOMMU group $(basename "$(readlink "/sys/bus/pci/devices/$NVME0/iommu_group")")"
put_data "$disk" 2048 "demo $RANDOM"
host_sha=$(digest "$disk" 2048)
show "the host writes 1 MiB on it      sha256 ${host_sha:0:24}…"
bind_vfio "$NVME0"
show "the host gives it away           $NVME0 → vfio-pci"

head_line "A guest boots under bulkhead, and the NVMe is its own"
show "$ bulkhead --kernel bzImage --initramfs guest.cpio --cpus boot=2 --memory size=512M \\"
show "           --serial file=console --console off --device path=/sys/bus/pci/devices/$NVME0/"
run_guest "info,read,write,irq,reads,pause25 bh.roff=2048 bh.woff=16384 bh.seed=$RANDOM" "$NVME0"
wait_for 'BH irq ' 100
info=$(said info)
show "the guest is up                  Linux $(field "$info" kernel), $(field "$info" cpus) processors, $(($(field "$info" mem_kb) / 1024)) MiB"
[ "$(field "$(said 'read sha')" sha)" = "$host_sha" ] || give_up "the guest read other data than the host wrote"
show "it reads the host's 1 MiB        sha256 $(field "$(said 'read sha')" sha | cut -c 1-24)…  the same"
show "it writes 1 MiB of its own       sha256 $(field "$(said 'write sha')" sha | cut -c 1-24)…"
show "its driver uses MSI-X            $(field "$(said 'irq ')" vectors) vectors for $(field "$(said 'irq ')" queues) queues and the admin queue"

wait_for 'BH reads begin' 60
count_begin
wait_for 'BH reads end' 90
count_end
head_line "2,000 direct 4 KiB reads, counted by the host kernel (kvm_userspace_exit)"
show "exits to userspace for I/O       $OTHER_EXITS"
show "exits for the guest's console    $CONSOLE_EXITS"

head_line "Who holds what, read from /proc while the guest runs"
confinement_table "$VM" >>/out/show
show "(seccomp 2: filtered; nnp: no new privileges; caps: over every set of every thread)"

wait_for 'BH end' 60
wait_exit 20
head_line "A clean end"
show "the guest powers off             bulkhead ends with $STATUS"
gone_within 2 || give_up "left behind: $(left_behind)"
show "processes left behind            none"
bind_host "$NVME0" || give_up "the device did not bind back"
disk=$(disk_of "$NVME0") || give_up "no disk after binding back"
show "the host takes the NVMe back     $NVME0 → nvme"
sha=$(digest "$disk" 16384)
[ "$sha" = "$(field "$(said 'write sha')" sha)" ] || give_up "what the guest wrote is not on the disk"
show "and finds what the guest wrote   sha256 ${sha:0:24}…  the same"
[ "$OTHER_EXITS" = 0 ] || give_up "I/O caused exits to userspace"
pass
