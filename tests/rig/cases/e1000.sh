# rig: mem=2G devices=nvme,e1000 limit=300 iommufd=too long=yes
# A conventional card, which has INTx only: VFIO masks the line at each interrupt,
# the guest's EOI unmasks it inside the kernel.  10,000 ARP round trips one by one,
# none lost, each with an interrupt of its own, at no exit to userspace; the driver unbound and bound ten times; four ways to
# boot again.
. /rig/lib.sh
. /rig/vdpa.sh
bind_vfio "$NVME0"
bind_vfio 0000:00:1a.0
run_guest "net,dhcp,arp,irq,reload bh.window=1" 0000:00:1a.0
wait_for 'BH dhcp ' 90
note "$(said 'dhcp ')"
expect "its gateway answers pings" [ "$(field "$(said 'dhcp ')" pings)" = 5 ]
expect "TCP works both ways" [ "$(field "$(said 'dhcp ')" echo)" = hello_from_10.0.2.15 ]
expect_packets e1000 INTx
wait_for 'BH irq end' 60
line=$(grep -a '^BH irqline .*eth0' "$CONSOLE" | tr -d '\r')
note "$line"
expect "its line is the I/O APIC's" grep -q fasteoi <<<"$line"
interrupts=$(tr ' ' '\n' <<<"$line" | awk '/^[0-9]+$/ { s += $1 } END { print s + 0 }')
expect "more than 10,000 interrupts ($interrupts)" [ "$interrupts" -gt 10000 ]
wait_for 'BH reload ' 150
expect "ten times unbound, bound, and a lease" [ "$(said 'reload ')" = "BH reload good=10 of=10" ]
power_off_clean

run_guest "restarts bh.disk=nvme0n1 bh.woff=16384 bh.seed=$RANDOM bh.net=user" "$NVME0" 0000:00:1a.0
wait_for 'BH boot 4' 240
expect_good boot 5
power_off_clean
unbind 0000:00:1a.0
pass
