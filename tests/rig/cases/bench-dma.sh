# rig: mem=11G cpus=4 devices=nvme,nvme append=hugepages=4112 only=asked limit=1200
# How long guest RAM takes to be mapped for DMA, bulkhead beside QEMU, by size, pages
# and devices: from the first page faulted in, or asked to be mapped, to the return of
# the last VFIO_IOMMU_MAP_DMA, by probes in this host's kernel. The cost per GiB does
# not grow with the guest, a second device pays nothing, and it is no slower than QEMU.
. /rig/lib.sh
bind_vfio "$NVME0"
bind_vfio "$NVME1"
# Huge pages nobody asked for would be another thing than the 4 KiB that were.
echo never >/sys/kernel/mm/transparent_hugepage/enabled

# When memory is faulted in; every mapping: when asked for, its size, and when done.
MAP_DMA=0x3b71 MADV_POPULATE_WRITE=23
probes() {
    echo 0 >$TRACE/tracing_on
    echo mono >$TRACE/trace_clock
    # A system call is given a struct pt_regs; its third argument, dx, lies at 96.
    printf '%s\n' "p:map vfio_iommu_type1_ioctl cmd=%si:x32 size=+u24(%dx):u64" \
        "r:mapped vfio_iommu_type1_ioctl" "p:populate __x64_sys_madvise advice=+96(%di):u64" \
        >$TRACE/kprobe_events || fail "this kernel takes no kprobe"
    echo "cmd == $MAP_DMA" >$TRACE/events/kprobes/map/filter
    echo "advice == $MADV_POPULATE_WRITE" >$TRACE/events/kprobes/populate/filter
    echo 1 >$TRACE/events/kprobes/enable
}

# mappings: sets CALLS, KIB mapped so far, and in ms MAP (first call to last return),
# COST (since the first page was faulted in) and ALL (since the program was started).
mappings() {
    read -r CALLS KIB MAP COST ALL < <(awk '
        !/^#/ { pid = $1; sub(/.*-/, "", pid); for (i = 2; i <= NF; i++) if ($i ~ /^[0-9]+\.[0-9]+:$/) break; at = $i + 0 }
        / tracing_mark_write: start/ { start = at }
        / populate: / && !touched { touched = at }
        / map: / { if (!first) first = at; open[pid] = $NF; sub(/.*=/, "", open[pid]) }
        / mapped: / && open[pid] { kib += open[pid] / 1024; open[pid] = 0; last = at; n++ }
        END {
            if (!touched) touched = first
            printf "%d %d %d %d %d\n", n, kib, (last - first) * 1000, (last - touched) * 1000, (last - start) * 1000
        }' $TRACE/trace)
}

# measure VMM GIB PAGES DEVICES: a row of the table.
declare -A cost all mapped
measure() {
    local kib=$(($2 * 1048576)) device=("$NVME0") key="$1 $2 $3 $4" more=()
    RIG_VMM=$1 MEMORY=${2}G
    [ "$4" = 1 ] || device+=("$NVME1")
    case $1,$3 in
    bulkhead,2M) MEMORY+=,hugepages=on ;;
    qemu,4K) more=(-- -object "memory-backend-memfd,id=ram,size=${2}G,share=on" -M memory-backend=ram) ;;
    qemu,2M) more=(-- -object "memory-backend-memfd,id=ram,size=${2}G,share=on,hugetlb=on" -M memory-backend=ram) ;;
    esac
    echo >$TRACE/trace
    echo 1 >$TRACE/tracing_on
    echo start >$TRACE/trace_marker
    run_guest wait "${device[@]}" "${more[@]}"
    # QEMU leaves out what lies below 1 MiB and is not RAM.
    KIB=0
    until [ "$KIB" -gt $((kib - 1024)) ]; do
        vm_alive || fail "$1 ended: $(tail -n 1 "$ERR")"
        sleep 0.3
        mappings
    done
    echo 0 >$TRACE/tracing_on
    cost[$key]=$COST all[$key]=$ALL mapped[$key]=$KIB
    note "$(printf '%d GiB  pages %s  devices %d  %-8s  %2d calls in %6d ms  %6d ms with faulting in  %6d ms since its start' \
        "$2" "$3" "$4" "$1" "$CALLS" "$MAP" "$COST" "$ALL")"
    kill -9 "$VM"
    wait "$VM" 2>/dev/null
    # A guest's RAM takes as long to be unpinned again.
    gone_within 120 || fail "left behind: $(left_behind)"
}

# ratio A B: A/B with two digits.
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / (b ? b : 1) }'; }

# row GIB PAGES DEVICES: both, and bulkhead by QEMU.
row() {
    local b="bulkhead $1 $2 $3" q="qemu $1 $2 $3"
    note "$(printf '%5s %4d %4d   %6d %6d  %5d %5d   %s      %6d %6d   %s' "$2" "$1" "$3" "${cost[$b]}" "${cost[$q]}" \
        $((cost[$b] / $1)) $((cost[$q] / $1)) "$(ratio "${cost[$b]}" "${cost[$q]}")" \
        "${all[$b]}" "${all[$q]}" "$(ratio "${all[$b]}" "${all[$q]}")")"
}

table() {
    local gib
    note "                            ms     ms a GiB  ratio    start to mapped  ratio"
    note "pages  GiB devs bulkhead   QEMU     b     q     b/q    bulkhead   QEMU     b/q"
    for pages in 2M 4K; do
        for gib in 1 2 4 8; do row $gib $pages 1; done
        row 4 $pages 2
    done
}

probes
note "the first run only touches all memory, which the emulator has to find first"
measure bulkhead 8 2M 1
for pages in 2M 4K; do
    [ $pages = 2M ] || echo 0 >/proc/sys/vm/nr_hugepages
    for gib in 1 2 4 8; do
        measure bulkhead $gib $pages 1
        measure qemu $gib $pages 1
    done
    measure bulkhead 4 $pages 2
    measure qemu 4 $pages 2
done
table
for pages in 2M 4K; do
    expect "with $pages pages 8 GiB cost at most half as much again, by the GiB, as 2" \
        [ $((cost[bulkhead 8 $pages 1] * 2)) -le $((cost[bulkhead 2 $pages 1] * 4 * 3)) ]
    expect "with $pages pages two devices have guest RAM mapped once" \
        [ "${mapped[bulkhead 4 $pages 2]}" = $((4 * 1048576)) ]
    expect "with $pages pages a second device costs at most a third more" \
        [ $((cost[bulkhead 4 $pages 2] * 3)) -le $((cost[bulkhead 4 $pages 1] * 4)) ]
    expect "with $pages pages it is no slower than QEMU, give or take a fifth" \
        [ $((cost[bulkhead 4 $pages 1] * 5)) -le $((cost[qemu 4 $pages 1] * 6)) ]
done
pass
