# rig: mem=2G devices=nvme,aer limit=120 long=yes
# A passed-through disk reports an error that is not fatal (PCIe, Advanced Error Reporting), as QEMU's
# monitor has it do: the VM says so once and goes on, the guest's driver too, and the host has the disk
# back afterwards.
. /rig/lib.sh
. /rig/vdpa.sh
bulkhead_only

# monitor COMMAND: to QEMU's, at the other end of the serial port; what it says goes to /run/monitor.
monitor() {
    stty -F /dev/ttyS1 raw -echo || fail "L1 has no second serial port"
    timeout 20 cat /dev/ttyS1 >/run/monitor &
    sleep 1
    printf '\n%s\n' "$1" >/dev/ttyS1
}
# let_report BDF: SERR# in its Command register, without which QEMU lets no error pass.
let_report() {
    local config=/sys/bus/pci/devices/$1/config byte
    byte=$(od -An -tu1 -j 5 -N 1 "$config")
    # shellcheck disable=SC2059
    printf "\\x$(printf %02x $((byte | 1)))" | dd of="$config" bs=1 seek=5 conv=notrunc 2>/dev/null
}
reported() { grep 'an error it cannot recover from (AER)' "$ERR"; }
host_says() { dmesg | grep -E "AER|PCIe Bus Error" | awk -v t="$CASE_SINCE" -F '[][ ]+' '$2 >= t'; }

dev=$(basename "$(echo /sys/bus/pci/devices/0000:00:1d.0/0000:*:00.0)")
sha=$(yes aer | head -c 1M | sha256sum | cut -d ' ' -f 1)
bind_vfio "$dev"
run_guest "read,pause20,read bh.roff=1024" "$dev"
wait_for 'BH read ' 90
expect "the guest reads its disk" [ "$(field "$(said 'read ')" sha)" = "$sha" ]
expect "no error so far" [ -z "$(reported)" ]
let_report "$dev"
monitor "pcie_aer_inject_error aer COMP_TIME"
for ((n = 0; n < 150; n++)); do [ -z "$(reported)" ] || break; sleep 0.1; done
tr -d '\r' </run/monitor | grep -a '^OK' | sed 's/^/  monitor: /'
host_says | sed 's/^/  host: /'
reported | sed 's/^/  | /'
expect "the VM says which device it was" grep -q "$dev: the device reported" "$ERR"
expect "before the guest read it again" [ "$(grep -ac '^BH read ' "$CONSOLE")" = 1 ]
expect "the host sees it recovered" grep -q 'device recovery successful' <(host_says)
power_off_clean
expect "the guest goes on, and its disk works" [ "$(grep -ac "^BH read sha=$sha" "$CONSOLE")" = 2 ]
expect "it was told once" [ "$(reported | wc -l)" = 1 ]
expect "nothing was failed for it" [ -z "$(grep 'device is failed' "$ERR")" ]
expect "the host's driver takes it back" bind "$dev" virtio-pci
pass
