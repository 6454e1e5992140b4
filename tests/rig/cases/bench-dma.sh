# rig: mem=11G cpus=4 devices=nvme,nvme append=hugepages=4112 only=asked limit=900
# How long guest RAM takes to be mapped for DMA, bulkhead beside QEMU, by size,
# pages and devices: from the first page pinned to the last, as the kernel counts
# them (VmLck of the process that maps). The cost per GiB does not grow with the
# guest, and a second device does not pay again.
. /rig/lib.sh
bind_vfio "$NVME0"
bind_vfio "$NVME1"
# Anonymous memory in huge pages would be another thing than the 4 KiB asked for.
echo never >/sys/kernel/mm/transparent_hugepage/enabled

locked() { awk '/^VmLck/ { print $2 }' "/proc/$1/status" 2>/dev/null || echo 0; }

# mapper: the process that maps for DMA, once it is there.
mapper() {
    local pid=
    while vm_alive && [ -z "$pid" ]; do
        if [ "$RIG_VMM" = qemu ]; then pid=$VM; else pid=$(process bulkhead-broker); fi
    done
    echo "$pid"
}

# measure VMM GIB PAGES DEVICES: prints a row of the table; MS_GIB is its cost.
measure() {
    local kib=$(($2 * 1048576)) device=("$NVME0") pid since= at=0 ms
    RIG_VMM=$1 MEMORY=${2}G
    [ "$4" = 1 ] || device+=("$NVME1")
    case $1,$3 in
    bulkhead,2M) MEMORY+=,hugepages=on; set -- "$@" -- ;;
    qemu,4K) set -- "$@" -- -object "memory-backend-memfd,id=ram,size=${2}G,share=on" -M memory-backend=ram ;;
    qemu,2M) set -- "$@" -- -object "memory-backend-memfd,id=ram,size=${2}G,share=on,hugetlb=on" -M memory-backend=ram ;;
    esac
    run_guest wait "${device[@]}" "${@:5}"
    pid=$(mapper)
    while [ "$at" -lt "$kib" ]; do
        vm_alive || fail "$1 ended: $(tail -n 1 "$ERR")"
        at=$(locked "$pid")
        [ -n "$since" ] || [ "${at:-0}" = 0 ] || since=${EPOCHREALTIME/./}
        sleep 0.02
    done
    ms=$(((${EPOCHREALTIME/./} - since) / 1000))
    MS_GIB=$((ms / $2))
    note "$(printf '%3d GiB  pages %s  devices %d  %-8s  %6d ms  %5d ms a GiB' "$2" "$3" "$4" "$1" $ms $MS_GIB)"
    kill -9 "$VM"
    wait "$VM" 2>/dev/null
    gone_within 10 || fail "left behind: $(left_behind)"
}

declare -A cost
for pages in 2M 4K; do
    [ $pages = 2M ] || echo 0 >/proc/sys/vm/nr_hugepages
    for gib in 1 2 4 8; do
        for vmm in bulkhead qemu; do
            measure $vmm $gib $pages 1
            cost[$vmm$gib$pages]=$MS_GIB
        done
    done
    measure bulkhead 4 $pages 2
    cost[two$pages]=$MS_GIB
    measure qemu 4 $pages 2
done
for pages in 2M 4K; do
    expect "with $pages pages 8 GiB cost at most half as much again, by the GiB, as 2" \
        [ $((cost[bulkhead8$pages] * 2)) -le $((cost[bulkhead2$pages] * 3 + 20)) ]
    expect "with $pages pages a second device costs at most a third more" \
        [ $((cost[two$pages] * 3)) -le $((cost[bulkhead4$pages] * 4 + 20)) ]
    expect "with $pages pages it is no slower than QEMU, give or take a fifth" \
        [ $((cost[bulkhead4$pages] * 5)) -le $((cost[qemu4$pages] * 6 + 20)) ]
done
pass
