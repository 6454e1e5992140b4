# rig: mem=2G devices=nvme,nvme,pair iommufd=too limit=150
# What an operator can get wrong: each ends with status 1 and one message that
# names the thing and the cause, with nothing left running or changed.
. /rig/lib.sh
. /rig/refuse.sh
bulkhead_only

# nodes_of BDF: what a user needs the right to open.
nodes_of() {
    local dev=/sys/bus/pci/devices/$1
    if grep -q iommufd=on /rig/arguments; then
        echo "/dev/iommu /dev/vfio/devices/$(ls "$dev/vfio-dev")"
    else
        echo "/dev/vfio/vfio /dev/vfio/$(basename "$(readlink "$dev/iommu_group")")"
    fi
}
as_user() { setpriv --reuid 1000 --regid 1000 --clear-groups -- bash -c '. /rig/lib.sh; . /rig/refuse.sh; ulimit -l 64; "$@"' as-user "$@"; }
is_file() { KERNEL=$1 plain; }

refuse "kernel missing" /run/none is_file /run/none
mkdir -p /run/folder
refuse "kernel is a folder" "--kernel: is a directory" is_file /run/folder
head -c 1000 "$BZIMAGE" >/run/short
refuse "kernel truncated" "--kernel: " is_file /run/short
refuse "kernel is text" "--kernel: is no kernel" is_file /etc/passwd
MEMORY=200G refuse "guest larger than the machine" "200G|memory" plain

refuse "device missing" 0000:00:1e.0 with_device 0000:00:1e.0
refuse "device bound to its host driver" "$NVME0.*nvme.*bulkhead bind $NVME0" with_device "$NVME0"
bind_vfio "$PAIR0"
refuse "others of its group still bound" "$PAIR0.*$PAIR1|$PAIR1.*$PAIR0" with_device "$PAIR0"

bind_vfio "$NVME0"
read -r -a nodes < <(nodes_of "$NVME0")
for n in 0 1; do
    chmod 666 "${nodes[@]}"
    chmod 660 "${nodes[n]}"
    refuse "no right to open ${nodes[n]}" "${nodes[n]}" as_user with_device "$NVME0"
done
chmod 666 "${nodes[@]}"
refuse "RLIMIT_MEMLOCK too low" "memlock" as_user with_device "$NVME0"
chmod 600 "${nodes[@]}"

mv /dev/kvm /dev/kvm.away
refuse "no /dev/kvm" /dev/kvm with_device "$NVME0"
mv /dev/kvm.away /dev/kvm

run_guest wait "$NVME0"
wait_for 'BH disk' 60
OTHER_VM=$VM
refuse "device in use by another" "$NVME0.*(use|busy)" with_device "$NVME0"
expect "the other one goes on" vm_alive
kill -9 "$VM"
pass
