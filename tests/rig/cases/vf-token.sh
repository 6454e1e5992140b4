# rig: mem=2G devices=nvme,igb iommufd=too limit=150 long=yes
# A virtual function of an igb whose physical one is on vfio-pci, too, open by somebody who has set a
# token: without it, with another, and with one for a device that has none, a refusal that says so; with it
# the guest's driver has the function. The token is in no log and in no command line.
. /rig/lib.sh
. /rig/refuse.sh
. /rig/vdpa.sh
bulkhead_only

# hold BDF UUID: the function open, its VF token set, until it is killed (linux/vfio.h).
hold() {
    rm -f /run/held
    perl -e '($bdf, $group, $uuid) = @ARGV; sub try { defined $_[1] or die "$_[0]: $!\n" }
        open C, "+<", "/dev/vfio/vfio" or die "container: $!\n";
        open G, "+<", "/dev/vfio/$group" or die "group: $!\n";
        $fd = pack "i", fileno C;
        try("VFIO_GROUP_SET_CONTAINER", ioctl G, 0x3b68, $fd);
        try("VFIO_SET_IOMMU", ioctl C, 0x3b66, 3);
        $name = "$bdf\0";
        try("VFIO_GROUP_GET_DEVICE_FD", $device = ioctl G, 0x3b6a, $name);
        open D, "+<&=", $device or die "$!\n";
        $uuid =~ tr/-//d;
        $feature = pack "L L H32", 24, 1 << 17, $uuid;
        try("VFIO_DEVICE_FEATURE", ioctl D, 0x3b75, $feature);
        $| = 1; print "held\n"; sleep' "$1" "$(group_of "$1")" "$2" >/run/held 2>&1 &
    HOLDER=$!
    trap 'kill $HOLDER 2>/dev/null' EXIT # or the host waits for it
    for ((n = 0; n < 100; n++)); do
        ! grep -qs held /run/held || return 0
        kill -0 $HOLDER 2>/dev/null || break
        sleep 0.1
    done
    fail "$1 cannot be held: $(cat /run/held)"
}
with_token() { plain --device "path=/sys/bus/pci/devices/$1/,vf_token=$2"; }
secrets() { grep -aiE "${TOKEN%%-*}|${OTHER%%-*}" "$@"; }

TOKEN=5ec2e70a-1b2c-4d3e-8f90-a1b2c3d4e5f6 OTHER=0ddba11a-1b2c-4d3e-8f90-a1b2c3d4e5f6
pf=$(echo /sys/bus/pci/devices/0000:00:1d.0/0000:*:00.0)
bind_vfio "${pf##*/}"
hold "${pf##*/}" $TOKEN
echo 1 >/sys/module/vfio_pci/parameters/enable_sriov
echo 1 >"$pf/sriov_numvfs" || fail "the igb on vfio-pci makes no virtual function"
VF=$(basename "$(readlink "$pf/virtfn0")")
bind_vfio "$VF"
note "physical function ${pf##*/} (vfio-pci) in group $(group_of "${pf##*/}"), virtual $VF in group $(group_of "$VF")"
bind_vfio "$NVME0"

refuse "without the token" "$VF opens only with its VF token.*give --device vf_token=UUID" with_device "$VF"
refuse "with another" "$VF: its physical function has another VF token" with_token "$VF" $OTHER
refuse "with half of one" "vf_token: this is no UUID" with_token "$VF" "${TOKEN%-*}"
refuse "for a device that has none" "$NVME0.* no VF token.*leave vf_token= out" with_token "$NVME0" $TOKEN

run_guest net,pause15 -- -v --device "path=/sys/bus/pci/devices/$VF/,vf_token=$TOKEN"
wait_for 'BH net ' 60
for pid in $(tree_of "$VM"); do tr '\0' ' ' <"/proc/$pid/cmdline"; echo; done >/run/words
cut -c 1-150 /run/words | sed 's/^/  | /'
note "$(said 'devices ')"
note "$(said 'net ')"
expect "with it the guest's driver has the function" grep -q 'net=eth0' <<<"$(said 'devices ')"
expect "launcher, core, broker and helper run" [ "$(grep -cE '(^|/)bulkhead(-core|-broker|-vfio)? ' /run/words)" = 4 ]
expect "the launcher's command line has had it" grep -q 'vf_token=xxxxxxxxxxxx' /run/words
expect "no process' command line has it" [ -z "$(secrets /run/words)" ]
power_off_clean
expect "no log has it" [ -z "$(secrets "$VM_DIR"/* "/out/$CASE.log"; dmesg | secrets)" ]
expect "the virtual function goes" eval 'echo 0 >"$pf/sriov_numvfs"'
echo 0 >/sys/module/vfio_pci/parameters/enable_sriov
kill $HOLDER
wait $HOLDER 2>/dev/null
bind_host "$NVME0" || fail "$NVME0 did not bind back"
expect "the host's igb takes its function back" bind "${pf##*/}" igb
expect_link "${pf##*/}"
pass
