# rig: mem=2G devices=nvme,nvme,e1000e,igb,zoo limit=120
# Cards with 256 MiB below 4 GiB: two fit the guest's window of 768 MiB with what is small of them,
# three do not; the line says what has no room and how much there is.
. /rig/lib.sh
. /rig/zoo.sh
bulkhead_only
for dev in "${BIG32[@]}"; do bind_vfio "$dev"; done
run_guest "each" "${BIG32[0]}" "${BIG32[1]}"
wait_for 'BH each end' 90
expect "two are there" [ "$(grep -ac '^BH each .*class=0x038000' "$CONSOLE")" = 2 ]
power_off_clean
run_guest "each" "${BIG32[@]}"
wait_exit 60
tail -n 3 "$ERR" | sed 's/^/  | /'
expect "three are refused" [ "$STATUS" != 0 ]
expect "the device, the BAR and the window are named" \
    grep -qE "${BIG32[2]}: BAR 0: no room for .*262144 KiB.* 768 MiB" "$ERR"
expect "nothing is left behind" gone_within 5
for dev in "${BIG32[@]}"; do unbind "$dev"; done
pass
