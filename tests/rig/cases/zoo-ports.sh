# rig: mem=2G devices=nvme,nvme,e1000e,igb,zoo limit=200 iommufd=too long=yes
# A BAR of I/O ports: each access is an exit to userspace and a message to the helper, and does what
# it does on the bus; memory of the same device has none.
. /rig/lib.sh
. /rig/zoo.sh
take "$NVME0"
bind_vfio "$E1000E"
run_guest "each,ports,flips,reboots,ports ${WORDS#* }" "$NVME0" "$E1000E"
wait_for 'BH ports begin' 90
note "$(said 'ports begin')"
count_begin
wait_for 'BH ports end' 90
count_end
line=$(said 'ports end')
note "$line"
tell_exits "e1000e, I/O ports" "none" "$(field "$line" accesses)" "accesses"
expect "every value arrives by the one way and is read by both" [ "$(field "$line" wrong)" = 0 ]
if [ "$RIG_VMM" = bulkhead ]; then
    expect "an exit an access, and no more" [ "$OTHER_EXITS" = "$(field "$line" accesses)" ]
fi
power_off_clean
expect "the same after a reboot" [ "$(grep -ac '^BH ports end accesses=200 wrong=0' "$CONSOLE")" = 3 ]
expect "ten times switched off and on" [ "$(field "$(said "flips $(in_guest 2)")" enabled)" = 1 ]
unbind "$E1000E"
bind_host "$NVME0"
pass
