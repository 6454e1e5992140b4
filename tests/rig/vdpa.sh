# vdpa.sh: making and taking down vhost-vdpa devices, and guests that have them.
# Sourced inside L1 after lib.sh by the cases with vDPA.
#
# Every maker takes the device's name first and sets NODE, its /dev/vhost-vdpa-N.
# No device is ever probed by itself: virtio_vdpa would take it for the host.
# shellcheck shell=bash disable=SC2034

INITRAMFS=/rig/vguest.cpio
VNET=0000:00:18.0   # virtio-net-pci on QEMU's user network
VBLK=0000:00:19.0   # virtio-blk-pci, 64 MiB, two queues
VNETMQ=0000:00:1a.0 # virtio-net-pci, two pairs of queues (absent without a tap)
VDPA=/sys/bus/vdpa

# vDPA drivers that pin account to the process whatever its rights.
ulimit -l unlimited

vdpa_tool() {
    if [ -x /usr/sbin/vdpa ] || [ -x /usr/bin/vdpa ]; then command vdpa "$@"; else /cache/vdpa/sbin/vdpa "$@"; fi
}

libs_of() { find "$1/usr/lib" "$1/lib" -name '*.so.*' -printf '%h\n' 2>/dev/null | sort -u | paste -s -d :; }

# ---- devices

# attach NAME: give a vDPA device to vhost_vdpa; sets NODE.
attach() {
    local n path
    echo vhost_vdpa >"$VDPA/devices/$1/driver_override"
    echo "$1" >$VDPA/drivers_probe
    for ((n = 0; n < 50; n++)); do
        for path in "$VDPA/devices/$1"/vhost-vdpa-*; do
            NODE=/dev/${path##*/}
            [ ! -c "$NODE" ] || return 0
        done
        sleep 0.1
    done
    fail "no vhost-vdpa node for $1"
}

# add NAME MGMTDEV [MORE…]
add() {
    local name=$1 answer
    echo 0 >$VDPA/drivers_autoprobe
    answer=$(vdpa_tool dev add name "$name" mgmtdev "${@:2}" 2>&1) || fail "vdpa dev add $name ${*:2}: $answer"
    attach "$name"
}

needs_sim() { vdpa_tool mgmtdev show 2>/dev/null | grep -q "^$1" || skip "this kernel has no $1"; }

make_sim_net() { needs_sim vdpasim_net; add "$1" vdpasim_net "${@:2}"; }
make_sim_blk() { needs_sim vdpasim_blk; add "$1" vdpasim_blk "${@:2}"; }

# make_vp NAME BDF [MORE…]: a virtio PCI device of L1, through its IOMMU.
make_vp() {
    [ -e "/sys/bus/pci/devices/$2" ] || skip "this host has no $2"
    bind "$2" vp-vdpa || fail "$2 did not bind to vp-vdpa"
    add "$1" "pci/$2" "${@:3}"
}

# vduse_daemon NAME IMAGE QUEUES: starts DAEMON, for a new device or for one whose
# daemon ended: what was open then it finds in its TMPDIR.
vduse_daemon() {
    local tree=/cache/vdpa program=/usr/bin/qemu-storage-daemon
    [ ! -x $tree/usr/bin/qemu-storage-daemon ] || program=$tree/usr/bin/qemu-storage-daemon
    mkfifo /run/qmp.in /run/qmp.out 2>/dev/null
    TMPDIR=/run LD_LIBRARY_PATH=$(libs_of $tree) $program --chardev pipe,id=qmp,path=/run/qmp --monitor chardev=qmp \
        --blockdev "driver=file,node-name=f-$1,filename=$2" \
        --export "vduse-blk,id=e-$1,name=$1,node-name=f-$1,writable=on,num-queues=$3" >"/run/$1.log" 2>&1 </dev/null &
    DAEMON=$!
}

# make_vduse_blk NAME IMAGE QUEUES
make_vduse_blk() {
    local n
    [ -d /sys/class/vduse ] || skip "this kernel has no VDUSE"
    vduse_daemon "$@"
    for ((n = 0; n < 100; n++)); do
        [ ! -e "/sys/class/vduse/$1" ] || break
        kill -0 $DAEMON 2>/dev/null || fail "qemu-storage-daemon: $(tail -n 1 "/run/$1.log")"
        sleep 0.1
    done
    add "$1" vduse
}

# qmp COMMAND ARGUMENTS: have the last daemon do it.
qmp() {
    printf '{"execute":"qmp_capabilities"}\n{"execute":"%s","arguments":{%s}}\n' "$1" "$2" >/run/qmp.in
    timeout 2 cat /run/qmp.out | grep -v QMP | sed 's/^/  qmp: /'
}

# drop NAME…: take vDPA devices down; VDUSE's daemons end afterwards.
drop() {
    local name
    for name in "$@"; do timeout 40 bash -c '. /rig/lib.sh; . /rig/vdpa.sh; vdpa_tool dev del "$0"' "$name" 2>/dev/null; done
}

end_daemons() {
    local pid comm
    for pid in /proc/[0-9]*; do
        { read -r comm <"$pid/comm"; } 2>/dev/null || continue
        case $comm in qemu-storage*) kill "${pid##*/}" 2>/dev/null ;; esac
    done
}

# Everything down, PCI devices back to the host.
vdpa_clear() {
    local dev
    for dev in $VDPA/devices/*; do [ ! -e "$dev" ] || drop "${dev##*/}"; done
    end_daemons
    for dev in /sys/bus/pci/drivers/vp-vdpa/0000:*; do
        [ ! -e "$dev" ] || bind "${dev##*/}" virtio-pci
    done
    echo 0 >/proc/sys/vm/nr_hugepages
}

# config_of NAME KEY: what `vdpa dev config show` says.
config_of() { vdpa_tool -j dev config show "$1" | tr ',{}' '\n\n\n' | sed -n "s/^ *\"$2\": *\"\\{0,1\\}\\([^\"]*\\).*/\\1/p" | head -n 1; }
# stat_of NAME QUEUE WORDS: a simulator's own counter, «rx packets», «cvq successes».
stat_of() { vdpa_tool dev vstats show "$1" qidx "$2" 2>&1 | tr '\n' ' ' | sed -n "s/.*$3 \([0-9]*\).*/\1/p"; }

# hugepages MIB: set them aside for the next guest; a device that pins maps each
# physically contiguous run, and small pages are too many of those.
hugepages() {
    local want=$(($1 / 2 + 8))
    sync
    echo 3 >/proc/sys/vm/drop_caches
    echo 1 >/proc/sys/vm/compact_memory
    echo $want >/proc/sys/vm/nr_hugepages
    [ "$(cat /proc/sys/vm/nr_hugepages)" -ge $want ] || fail "L1 could not set aside $want hugepages"
    MEMORY="$1M,hugepages=on"
}

# ---- guests: run_guest takes /dev/vhost-vdpa-N[,OPTION…] like a PCI address

bulkhead_device() {
    case $1 in
    /dev/*) args+=(--vdpa "path=$1") ;;
    *) args+=(--device "path=/sys/bus/pci/devices/$1/") ;;
    esac
}

qemu_device() {
    case $1 in
    /dev/*) args+=(-device "vhost-vdpa-device-pci,vhostdev=${1%%,*}") ;;
    *) args+=(-device "vfio-pci,host=$1") ;;
    esac
}

# The same as in lib.sh, with RAM that another process can map.
eval "plain_$(declare -f qemu_arguments)"
qemu_arguments() {
    local ram=${MEMORY:-512M} huge=off
    if [ "$ram" != "${ram%,hugepages=on}" ]; then huge=on; fi
    MEMORY=${ram%%,*} plain_qemu_arguments "$1"
    args+=(-object "memory-backend-memfd,id=ram,size=${ram%%,*},share=on,hugetlb=$huge" -machine memory-backend=ram)
}

# ---- what cases have in common

# device_line ID: what the guest says of its virtio device of that id (1 net, 2 block).
device_line() { grep -a "^BH virtio .*id=0x000$1 " "$CONSOLE" | tail -n 1 | tr -d '\r'; }

expect_driver() {
    local line
    line=$(device_line "$1")
    note "${line#BH }"
    expect "the guest's $2 drives it" [ "$(field "$line" driver)" = "$2" ]
    expect "with MSI-X" [ "$(field "$line" vectors)" -ge 2 ]
}

# count_between WHAT: exits to userspace between two markers, which must be the
# console's only; MMIO is what KVM itself had to emulate, doorbells included.
count_between() {
    wait_for "BH $1 begin" 90
    count_begin
    echo 1 >$TRACE/events/kvm/kvm_mmio/enable
    wait_for "BH $1 end" "${2:-120}"
    count_end
    MMIO=$(grep -c 'kvm_mmio:' "$VM_DIR/trace")
    note "$(said "$1 end")"
    sed -n 's/.*kvm_pio: \(.*\) size.*/\1/p' "$VM_DIR/trace" | sort | uniq -c | sort -rn | head -n 8 | sed 's/^/  ports: /'
    note "exits to userspace: $EXITS, of them the console's: $CONSOLE_EXITS; accesses KVM emulated: $MMIO"
}

# expect_reads DEVICE KIND; expect_packets DEVICE KIND
expect_reads() {
    count_between reads
    expect "all 2,000 direct reads are good" [ "$(said 'reads end')" = "BH reads end n=2000 failed=0" ]
    expect_no_exits "$1" "$2" 2000 reads
}

expect_packets() {
    count_between packets
    expect "all 10,000 packets came back whole" \
        [ "$(said 'packets end')" = "BH packets end sent=10000 received=10000 bad=0 lost=0" ]
    expect_no_exits "$1" "$2" 10000 "packets there and back"
}

expect_written() {
    wait_for 'BH write sha' 60
    expect "the guest reads back what it wrote" \
        [ "$(field "$(said 'write sha')" sha)" = "$(field "$(said 'write sha')" found)" ]
}

# expect_good WORD COUNT: lines «BH WORD n …» for n below it or up to it, all «ok».
expect_good() {
    grep -a "^BH $1 [0-9]" "$CONSOLE" | tr -d '\r' | sed 's/^BH/ /'
    expect "$2 times $1, each of them ok" [ "$(grep -acE "^BH $1 [0-9]+ ok" "$CONSOLE")" = "$2" ]
    expect "and none was not" [ "$(grep -aE "^BH $1 [0-9]+" "$CONSOLE" | grep -avc ' ok')" = 0 ]
}

# doorbells NODE: pages of the node the VM's core has mapped, as /proc tells.
doorbells() {
    local core
    core=$(process bulkhead-core)
    grep -c "vhost-vdpa-${1##*-}\$" "/proc/${core:-$VM}/maps"
}
