# rig: mem=2G devices=nvme,nvme,e1000e,igb,zoo limit=250 iommufd=too long=yes
# A virtual function of an NVMe whose physical function the host keeps and uses. It gets its queues
# and vectors from the physical one and is put on line by it (NVMe 2.0 8.26, Virtualization Management).
. /rig/lib.sh
. /rig/zoo.sh

# nvme_admin DEVICE OPCODE CDW10 CDW11 (struct nvme_passthru_cmd; NVME_IOCTL_ADMIN_CMD)
nvme_admin() {
    perl -e 'open F, "+<", $ARGV[0] or die "$!\n"; $c = pack("C4 L3 Q2 L10", $ARGV[1], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, $ARGV[2], $ARGV[3], (0) x 6);
        $r = ioctl(F, 0xc0484e41, $c); die "$!\n" unless defined $r; die "status $r\n" if $r != 0' "$@" ||
        fail "admin command $2 ($3, $4) of $1"
}
# manage CONTROLLER RESOURCE ACTION COUNT; resources are queues (0) and vectors (1)
manage() { nvme_admin "$ctrl" $((0x1c)) $(($1 << 16 | $2 << 8 | $3)) "$4"; }

pf=$(echo /sys/bus/pci/devices/0000:00:1e.0/0000:*:00.0)
disk=$(disk_of "${pf##*/}") || fail "L1 has no disk at ${pf##*/}"
ctrl=/dev/$(basename "$(echo "$pf"/nvme/nvme*)")
manage 0 1 1 0
manage 0 0 1 0
echo 1 >"$pf/reset"
echo 0 >"$pf/sriov_drivers_autoprobe"
echo 1 >"$pf/sriov_numvfs" || fail "the NVMe makes no virtual function"
manage 1 1 8 3
manage 1 0 8 3
manage 1 0 9 0
VF=$(basename "$(readlink "$pf/virtfn0")")
note "physical function ${pf##*/} ($ctrl), virtual $VF in group $(group_of "$VF")"
SHAS=("$(fill "$disk")")
bind_vfio "$VF"
run_guest "$WORDS" "$VF"
boots_and_reads 2 "NVMe VF" MSI-X
turns 10
expect "the host's own function reads meanwhile" [ "$(digest "$disk" 2048)" = "${SHAS[0]}" ]
power_off_clean
expect "and has what the guest wrote" [ "$(digest "$disk" 8192)" = "$(field "$(work_of 1)" wrote)" ]
give_back "$VF"
expect "the function goes away" eval 'unbind "$VF" && echo 0 >"$pf/sriov_numvfs"'
pass
