# rig: mem=2G devices=nvme,igb iommufd=too limit=250 long=yes
# A virtual function of an igb whose physical function the host keeps and uses: after a
# reboot of the guest a lease, pings and an echo over TCP, 10,000 ARP round trips at no
# exit to userspace, its driver unbound and bound ten times; the host's own link is none
# the worse for it, and the host's own driver takes the function over and works.
. /rig/lib.sh
. /rig/vdpa.sh
bulkhead_only
pf=$(echo /sys/bus/pci/devices/0000:00:1d.0/0000:*:00.0)
for ((n = 0; n < 50; n++)); do
    link=$(ls "$pf/net" 2>/dev/null)
    [ -z "$link" ] || break
    sleep 0.1
done
[ -n "$link" ] || skip "L1 has no driver for its igb"
ip link set "$link" up
ip addr add 10.0.2.77/24 dev "$link"
echo 0 >"$pf/sriov_drivers_autoprobe"
echo 1 >"$pf/sriov_numvfs" || fail "the igb makes no virtual function"
ip link set "$link" vf 0 mac 02:00:00:00:00:42
VF=$(basename "$(readlink "$pf/virtfn0")")
note "physical function ${pf##*/} ($link), virtual $VF in group $(group_of "$VF")"
disk=$(disk_of "$NVME0") || fail "L1 has no disk at $NVME0"
dd if=/dev/zero of="$disk" bs=1024 seek=20480 count=2048 conv=fsync 2>/dev/null
bind_vfio "$NVME0"
bind_vfio "$VF"
run_guest "info,net,restarts,dhcp,arp,reload bh.net=user bh.disk=nvme0n1 bh.woff=20480 bh.ways=pci" "$NVME0" "$VF"
wait_for 'BH dhcp ' 150
grep -aE '^BH (boot|reboot) ' "$CONSOLE" | tr -d '\r' | sed 's/^BH/ /'
expect "it works before a reboot, and after" [ "$(grep -ac '^BH boot [01] ok' "$CONSOLE")" = 2 ]
note "$(said 'net ')"
expect "the guest has the MAC its host gave it" [ "$(field "$(said 'net ')" mac)" = 02:00:00:00:00:42 ]
line=$(said 'dhcp ')
note "$line"
expect "its gateway answers pings" [ "$(field "$line" pings)" = 5 ]
expect "TCP works both ways" [ -n "$(field "$line" echo)" ] && [ "$(field "$line" echo)" = "hello_from_$(field "$line" ip)" ]
expect "the host's own function works meanwhile" /rig/busybox ping -c 3 -W 5 -q 10.0.2.2
expect_packets "igb VF" MSI-X
wait_for 'BH reload ' 120
expect "unbound and bound ten times, a lease each time" [ "$(said 'reload ')" = "BH reload good=10 of=10" ]
power_off_clean
ip addr flush dev "$link"
expect "the host's own driver takes the function" bind "$VF" igbvf
expect_link "$VF"
unbind "$VF"
ip addr add 10.0.2.77/24 dev "$link"
expect "the function is the host's again" eval 'echo 0 >"$pf/sriov_numvfs"'
expect "the host's own function works after it" /rig/busybox ping -c 3 -W 5 -q 10.0.2.2
pass
