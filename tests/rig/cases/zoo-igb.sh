# rig: mem=2G devices=nvme,nvme,e1000e,igb,zoo limit=300 iommufd=too long=yes
# An igb, physical function and all: a lease, pings and an echo over TCP, 10,000 ARP round trips at
# no exit to userspace, its driver unbound and bound ten times, a reboot, and back to the host.
. /rig/lib.sh
. /rig/zoo.sh
. /rig/vdpa.sh
pf=$(basename "$(echo /sys/bus/pci/devices/0000:00:1d.0/0000:*:00.0)")
take "$NVME0"
bind_vfio "$pf"
run_guest "net,irq,restarts,dhcp,arp,reload bh.disk=nvme0n1 bh.woff=16384 bh.seed=$RANDOM bh.net=user bh.ways=pci bh.window=1" "$NVME0" "$pf"
wait_for 'BH dhcp ' 150
note "$(said 'net ')"
expect_good boot 2
note "$(said 'dhcp ')"
expect "its gateway answers pings" [ "$(field "$(said 'dhcp ')" pings)" = 5 ]
expect "TCP works both ways" [ "$(field "$(said 'dhcp ')" echo)" = hello_from_10.0.2.15 ]
expect_packets "igb PF" MSI-X
wait_for 'BH reload ' 200
expect "ten times unbound, bound, and a lease" [ "$(said 'reload ')" = "BH reload good=10 of=10" ]
power_off_clean
grep -a '^BH irqline .*eth0' "$CONSOLE" | tr -d '\r' | sed 's/^BH/ /'
expect "its interrupts are MSI-X" grep -aqE '^BH irqline .*MSIX?.*eth0-' "$CONSOLE"
expect "the host's igb takes it back" bind "$pf" igb
link=$(ls "/sys/bus/pci/devices/$pf/net")
ip link set "$link" up
ip addr add 10.0.2.77/24 dev "$link"
expect "and it works there" /rig/busybox ping -c 3 -W 5 -q 10.0.2.2
ip link set "$link" down
ip addr flush dev "$link"
bind_host "$NVME0" || fail "$NVME0 did not bind back"
pass
