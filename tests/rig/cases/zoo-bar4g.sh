# rig: mem=2G devices=nvme,nvme,e1000e,igb,zoo limit=250 iommufd=too long=yes
# A BAR of 4 GiB, which is memory that this machine has in a file: what the guest writes at five
# places, the last page one of them, is there for it to read, also after its reboot, and in the file.
. /rig/lib.sh
. /rig/zoo.sh
take "$NVME0"
bind_vfio "$SHARED"
run_guest "each,bar,flips,reboots,bar ${WORDS#* }" "$NVME0" "$SHARED"
wait_for 'BH bar begin' 90
expect "the guest sees all of it" [ "$(field "$(said 'bar begin')" size)" = 4294967296 ]
count_begin
wait_for 'BH bar end' 90
count_end
wait_for 'BH at .* flips' 30
expect_pieces 1
expect_no_exits "ivshmem, BAR of 4 GiB" "none" "$(field "$(said 'bar end')" accesses)" "accesses"
power_off_clean
expect_pieces 3
while read -r line; do
    expect_on_image bar "$(field "$line" at)" "$(field "$line" wrote)"
done < <(grep -a '^BH piece' "$CONSOLE" | tail -n 5 | tr -d '\r')
expect "ten times switched off and on" [ "$(field "$(said "flips $(in_guest 2)")" enabled)" = 1 ]
unbind "$SHARED"
bind_host "$NVME0"
pass
