# rig: mem=2G devices=nvme,nvme iommufd=too limit=150
# The helper is killed while the guest reads: host and core live, an error line
# names the device and the cause, the guest's next trapped access does not hang
# it, its I/O goes on, and it powers off.
. /rig/lib.sh
bulkhead_only
bind_vfio "$NVME0"
run_guest io-background,pause2,config,pause8,config,info "$NVME0"
wait_for 'BH config' 60
helper=$(process bulkhead-vfio)
expect "there is a helper to kill ($helper)" [ -n "$helper" ]
first=$(said config)
kill -9 "$helper"
sleep 2
expect "the core lives" [ -n "$(process bulkhead-core)" ]
grep -iF "${NVME0#0000:}" "$ERR" | tail -n 3 | sed 's/^/  | /'
expect "an error line names the device and the cause" \
    grep -qiE "${NVME0#0000:}.*(kill|signal|died|ended|gone|exit)" "$ERR"
wait_for 'BH info' 40
note "config before: ${first#BH config }"
note "config after:  $(said config | sed 's/^BH config //')"
expect "the guest's trapped read came back" [ "$(grep -ac '^BH config' "$CONSOLE")" = 2 ]
expect "no read failed" [ "$(grep -ac '^BH io error' "$CONSOLE")" = 0 ]
wait_for 'BH end' 20
wait_exit 60
expect "poweroff ends the process with 0" [ "$STATUS" = 0 ]
gone_within 2 || fail "left behind: $(left_behind)"
expect "the device binds back to nvme" bind_host "$NVME0"
disk_of "$NVME0" >/dev/null || fail "no disk after binding back"
pass
