# rig: mem=2G devices=nvme,nvme limit=90
# Figures for the README: memory of every process without guest RAM and BARs
# (PSS), and the phases of the start.
. /rig/lib.sh
bulkhead_only
bind_vfio "$NVME0"
run_guest info,io-forever "$NVME0"
wait_for 'BH io starts' 60
sleep 2

# PSS in KiB of one process, leaving out mappings of guest RAM and of devices.
own_pss() {
    awk '/^[0-9a-f]+-[0-9a-f]+ / { skip = /memfd:|hugetlb|vfio/ } /^Pss:/ && !skip { s += $2 } END { print s + 0 }' \
        "/proc/$1/smaps"
}

total=0
for pid in $(tree_of "$VM"); do
    pss=$(own_pss "$pid")
    total=$((total + pss))
    note "$(printf '%-18s %6d KiB PSS  %6d KiB private' "$(program_of "$pid")" "$pss" \
        "$(awk '/^Private_(Clean|Dirty)/ && !skip { s += $2 } /^[0-9a-f]+-[0-9a-f]+ / { skip = /memfd:|hugetlb|vfio/ } END { print s + 0 }' "/proc/$pid/smaps")")"
done
note "$(printf '%-18s %6d KiB PSS' all $total)"
grep -v '^$' "$ERR" | sed 's/^/  | /'
expect "all processes together take at most 4 MiB" [ "$total" -le 4096 ]
pass
