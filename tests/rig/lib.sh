# lib.sh: what the cases share.  Sourced inside L1 by bash, as root.
#
# A case starts bulkhead with run_guest, follows the guest by the markers on its
# console (wait_for), checks with expect, and ends with pass, fail or skip, each
# of which prints the one verdict line and leaves.  RIG_VMM=qemu runs QEMU with
# vfio-pci in bulkhead's place, for comparison and for work on the rig itself.
# shellcheck shell=bash disable=SC2034

export PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8
CASE_SINCE=$(cut -d ' ' -f 1 /proc/uptime)
CASE=${CASE:-$(basename "${BASH_SOURCE[-1]}" .sh)}
BULKHEAD=/rig/bin/bulkhead
# How much longer than on an idle machine of four processors a guest may take to get somewhere.
# Only waiting is stretched by it; what a case promises within seconds is not.
PATIENCE=3
RIG_VMM=${RIG_VMM:-$(cat /rig/vmm 2>/dev/null || echo bulkhead)}
BZIMAGE=/cache/kernel/bzImage
VMLINUX=/cache/kernel/vmlinux
INITRAMFS=/rig/guest.cpio
TRACE=/sys/kernel/tracing
VM_DIRS=() # of all VMs of this case

# The devices every boot has in this order (tests/rig/run gives them out).
NVME0=0000:00:10.0
NVME1=0000:00:11.0
PAIR0=0000:00:12.0
PAIR1=0000:00:12.1
E1000E=0000:00:1b.0

# ---- verdicts

note() { printf '  %s\n' "$*"; }
pass() { refused_syscalls; keep_report; echo "PASS $CASE"; exit 0; }
skip() { echo "SKIP $CASE: $*"; exit 0; }
fail() { show_evidence; echo "FAIL $CASE: $*"; exit 0; }

# expect WHAT CONDITION…: print it as measured, or fail with it.
expect() {
    local what=$1
    shift
    if "$@"; then note "ok: $what"; else fail "$what (not so: $*)"; fi
}

# vcpu_signs: of each vCPU thread how often it slept so far, and where it is now (0: in no call).
vcpu_signs() {
    local task core
    core=$(process bulkhead-core)
    for task in "/proc/${core:-$VM}/task"/*; do
        case $(cat "$task/comm") in
        vcpu*) echo "$(cat "$task/comm") slept=$(sed -n 's/^voluntary_ctxt_switches:.//p' "$task/status") in=$(cat "$task/wchan")" ;;
        esac
    done
}

# where_it_is: what the guest leaves for in half a second, and from where; a processor that spins
# shows nothing but the host's ticks.
where_it_is() {
    local events=$TRACE/events/kvm
    echo >$TRACE/trace
    echo 1 | tee $events/kvm_exit/enable $events/kvm_userspace_exit/enable >$TRACE/tracing_on
    sleep 0.5
    echo 0 | tee $events/enable >$TRACE/tracing_on
    sed -n 's/^ *\([^ ]*\)-[0-9]* .*: kvm_exit: .*\(reason [^ ]* rip [^ ]*\).*/\1 \2/p' $TRACE/trace |
        sort | uniq -c | sort -rn | head -n 8 | sed 's/^/  | /'
}

# stood_still: a guest ticks all the time (run_guest). A processor of it that in three seconds never
# slept, or never woke, has lost a timer, or a signal of another processor's, to the emulator.
stood_still() {
    vm_alive || return 0
    echo "  ---- its vCPU threads, and the same 3 s later; what they leave for; the host's interrupts for its devices"
    vcpu_signs | sed 's/^/  | /'
    sleep 3
    vcpu_signs | sed 's/^/  | /'
    where_it_is
    grep vfio /proc/interrupts | sed 's/^/  | /'
}

show_evidence() {
    [ -n "${VM_DIR:-}" ] || return 0
    stood_still
    echo "  ---- stderr of the last VM"; tail -n 25 "$ERR" | sed 's/^/  | /'
    refused_syscalls
    keep_report
    echo "  ---- end of its console"; tail -n 15 "$CONSOLE" 2>/dev/null | sed 's/^/  | /'
}

# refused_syscalls: what seccomp killed or logged for, from the kernel's log.
refused_syscalls() {
    dmesg | awk -v t="$CASE_SINCE" -F '[][ ]+' '$2 >= t' |
        sed -n 's/.*type=1326.*comm="\([^"]*\)".* sig=\([0-9]*\) .*syscall=\([0-9]*\) .*/  | seccomp: \1, syscall \3, signal \2/p' |
        sort | uniq -c
}

# keep_report: what the tracer of --seccomp log (RIG_ARGS) said of this case's VMs, for check-rows.
keep_report() {
    grep -h '^bulkhead seccomp: ' "${VM_DIRS[@]/%//stderr}" 2>/dev/null >>/out/policies.log
}

# ---- PCI devices

driver_of() { basename "$(readlink "/sys/bus/pci/devices/$1/driver" 2>/dev/null)" 2>/dev/null; }

# bind BDF DRIVER: let go of the one it has, then take that one.
bind() {
    local dev=/sys/bus/pci/devices/$1
    [ "$(driver_of "$1")" != "$2" ] || return 0
    echo "$2" >"$dev/driver_override" # an empty line is none
    [ ! -e "$dev/driver" ] || echo "$1" >"$dev/driver/unbind"
    echo "$1" >/sys/bus/pci/drivers_probe
    [ "$(driver_of "$1")" = "$2" ]
}

bind_vfio() { bind "$1" vfio-pci || fail "$1 did not bind to vfio-pci"; }
# bind_host BDF: to what drives it without us; for a kind this host has no driver for, nothing.
bind_host() {
    case $(cat "/sys/bus/pci/devices/$1/class") in
    0x0108*) bind "$1" nvme ;;
    *) bind "$1" '' || [ "$(driver_of "$1")" != vfio-pci ] ;;
    esac
}
unbind() { echo "$1" >"/sys/bus/pci/devices/$1/driver/unbind"; }

# group_of BDF: the number of its IOMMU group.
group_of() { basename "$(readlink "/sys/bus/pci/devices/$1/iommu_group")"; }

# expect_link BDF: the card works for the host; down again afterwards.
expect_link() {
    local link
    link=$(ls "/sys/bus/pci/devices/$1/net")
    ip link set "$link" up
    ip addr add 10.0.2.78/24 dev "$link"
    expect "and it works for the host ($link)" /rig/busybox ping -I "$link" -c 5 -W 5 -q 10.0.2.2
    ip addr flush dev "$link"
    ip link set "$link" down
}

rebind_all() {
    local dev
    for dev in /sys/bus/pci/drivers/vfio-pci/0000:*; do
        [ ! -e "$dev" ] || bind_host "${dev##*/}"
    done
}

# disk_of BDF: the host's block device of an NVMe bound to the nvme driver.
disk_of() {
    local n path
    for ((n = 0; n < 50; n++)); do
        for path in "/sys/bus/pci/devices/$1"/nvme/nvme*/nvme*n1; do
            if [ -b "/dev/${path##*/}" ]; then echo "/dev/${path##*/}"; return 0; fi
        done
        sleep 0.1
    done
    return 1
}

# digest FILE KIB: of 1 MiB there; past any cache.
digest() { dd if="$1" bs=1024 skip="$2" count=1024 iflag=nocache 2>/dev/null | sha256sum | cut -d ' ' -f 1; }

# put_data DISK KIB SEED: 1 MiB the guest will have to find.
put_data() { yes "host $3" | head -c 1048576 | dd of="$1" bs=1024 seek="$2" conv=fsync 2>/dev/null; }

# expect_on_image N KIB SHA: the runner checks this on disk image N once L1 is down.
expect_on_image() { echo "$CASE $1 $2 $3" >>/out/image-checks; }

# ---- the VM

# new_vm: a folder for the next VM's console and stderr.
new_vm() {
    VM_DIR=$(mktemp -d /run/vm.XXXXXX)
    VM_DIRS+=("$VM_DIR")
    chmod 777 "$VM_DIR"
    CONSOLE=$VM_DIR/console
    ERR=$VM_DIR/stderr
    : >"$CONSOLE"
}

# become COMMAND…: one that takes SIGINT and SIGQUIT, which a shell has its background ignore.
become() { exec env --default-signal=INT,QUIT "$@"; }

# start COMMAND…: the VMM in the background; VM is its process, of bulkhead the launcher.
start() {
    become "$@" >"$VM_DIR/stdout" 2>"$ERR" </dev/null &
    VM=$!
}

# run_guest WORDS [DEVICE…] [-- OPTIONS…]: boot the stock kernel with bh.do=WORDS
# (and more command line after blanks).  KERNEL, CPUS, TOPOLOGY, MEMORY may be set before.
# The tick is periodic for the reason that the host's is (tests/rig/run), and by the
# APIC's own timer: one that goes by TSC deadlines is set anew for each tick.
run_guest() {
    local cmdline="console=ttyS0 quiet loglevel=4 panic=-1 nohz=off highres=off lapic=notscdeadline bh.do=$1" args=()
    shift
    new_vm
    "${RIG_VMM}_arguments" "$cmdline"
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        "${RIG_VMM}_device" "$1"
        shift
    done
    [ $# -eq 0 ] || shift
    start "${args[@]}" "$@"
}

bulkhead_arguments() {
    args=("$BULKHEAD" -v --kernel "${KERNEL:-$BZIMAGE}" --initramfs "$INITRAMFS" --cmdline "$1"
        --cpus "boot=${CPUS:-2}${TOPOLOGY:+,topology=$TOPOLOGY}" --memory "size=${MEMORY:-512M}" --serial "file=$CONSOLE" --console off)
    local more
    read -r -a more </rig/arguments
    args+=("${more[@]}")
}

bulkhead_device() { args+=(--device "path=/sys/bus/pci/devices/$1/"); }

qemu_arguments() {
    local tree=/cache/qemu-11 libs
    libs=$(find $tree/usr/lib -name '*.so.*' -printf '%h\n' | sort -u | paste -s -d :)
    args=($tree/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 --library-path "$libs"
        $tree/usr/bin/qemu-system-x86_64
        -L $tree/usr/share/seabios -L $tree/usr/share/qemu -M q35 -accel kvm -cpu host
        -smp "${CPUS:-2}${TOPOLOGY:+,threads=${TOPOLOGY%%:*}}" -m "${MEMORY:-512M}" -nodefaults -no-user-config -display none
        -kernel "${KERNEL:-$BZIMAGE}" -initrd "$INITRAMFS" -append "$1" -serial "file:$CONSOLE")
}

qemu_device() { args+=(-device "vfio-pci,host=$1"); }

vm_alive() { kill -0 "$VM" 2>/dev/null; }

# told MARKER: the console has a line with it, to its end: under a tracer each byte takes its time.
told() { grep -as -- "$1" "$CONSOLE" | grep -q $'\r'; }

# wait_for MARKER SECONDS: until the console has a line with it. A guest that has missed one of its
# processors for 21 seconds will not get there.
wait_for() {
    local end=$((SECONDS + $2 * PATIENCE))
    until told "$1"; do
        ! grep -aqs 'detected stalls on CPUs' "$CONSOLE" || fail "a processor of the guest stands still («$1» awaited)"
        vm_alive || { told "$1" && return; fail "the VMM ended (status $(wait_status)) before the guest said «$1»"; }
        ((SECONDS < end)) || fail "the guest did not say «$1» within $(($2 * PATIENCE)) s"
        sleep 0.1
    done
}

# lines_with MARKER [FILE]: how many of the console's, or the file's, have it.
lines_with() { grep -ac -- "$1" "${2:-$CONSOLE}"; }

said() { grep -a "^BH $1" "$CONSOLE" | tail -n 1 | tr -d '\r'; }

# field LINE KEY: the value of KEY=… in it.
field() { sed -n "s/.*\\b$2=\\([^ ]*\\).*/\\1/p" <<<"$1"; }

wait_status() { wait "$VM"; echo $?; }

# wait_exit SECONDS: the VM's process is to end within them; STATUS is how.
wait_exit() {
    local end=$((SECONDS + $1 * PATIENCE))
    while vm_alive; do
        ((SECONDS < end)) || fail "the VMM did not end within $(($1 * PATIENCE)) s"
        sleep 0.05
    done
    wait "$VM"
    STATUS=$?
}

power_off_clean() {
    wait_for 'BH end' 90
    wait_exit 20
    expect "poweroff ends the process with 0" [ "$STATUS" = 0 ]
}

# lend_nvme [BDF]: it, or NVME0, is given to VFIO; HOST_SHA is of 1 MiB at 2 MiB on it, which the host
# has put there.
lend_nvme() {
    local disk
    LENT=${1:-$NVME0}
    disk=$(disk_of "$LENT") || fail "L1 has no disk at $LENT"
    put_data "$disk" 2048 "$CASE $RANDOM"
    HOST_SHA=$(digest "$disk" 2048)
    bind_vfio "$LENT"
}

expect_read() { expect "the guest reads what the host wrote" [ "$(field "$(said 'read sha')" sha)" = "$HOST_SHA" ]; }

# nvme_back KIB: the host has it again, and finds there what the guest says it wrote.
nvme_back() {
    local disk guest_sha
    guest_sha=$(field "$(said 'write sha')" sha)
    expect "the device binds back to nvme at once" bind_host "$LENT"
    disk=$(disk_of "$LENT") || fail "no disk after binding back"
    expect "what the guest wrote is on the disk" [ "$(digest "$disk" "$1")" = "$guest_sha" ]
    expect_on_image "$([ "$LENT" = "$NVME1" ] && echo 1 || echo 0)" "$1" "$guest_sha"
}

# drive_disk KIB: the common round.  A guest with NVME0 reads what the host put
# at 2 MiB and writes at KIB; all of it is checked on both sides of the poweroff.
drive_disk() {
    lend_nvme
    run_guest "info,read,write,irq bh.roff=2048 bh.woff=$1 bh.seed=$RANDOM" "$NVME0" "${@:2}"
    wait_for 'BH irq ' 120
    INFO=$(said info)
    note "$INFO"
    note "$(said 'irq ')"
    expect_read
    expect "MSI-X, an admin vector and one a queue" \
        [ "$(field "$(said 'irq ')" vectors)" = $(($(field "$(said 'irq ')" queues) + 1)) ]
    power_off_clean
    nvme_back "$1"
}

# ---- processes

# tree_of PID: it and all its descendants.
tree_of() {
    local child
    echo "$1"
    cat "/proc/$1"/task/*/children 2>/dev/null | tr ' ' '\n' | while read -r child; do
        [ -z "$child" ] || tree_of "$child"
    done
}

program_of() { basename "$(readlink "/proc/$1/exe")"; }

# processes NAME: the pids of the VM's processes that run that program.
processes() {
    local pid
    for pid in $(tree_of "$VM"); do
        if [ "$(program_of "$pid")" = "$1" ]; then echo "$pid"; fi
    done
}
process() { processes "$1" | head -n 1; }

# has_ended FOLDER: a process whose last thread has let go of everything, reaped or not.
has_ended() { ! grep -qs '^State:.[^Z]' "$1"/task/*/status; }

left_behind() {
    local pid comm
    for pid in /proc/[0-9]*; do
        { read -r comm <"$pid/comm"; } 2>/dev/null || continue
        case $comm in
        bulkhead* | vcpu*) has_ended "$pid" || echo "${pid##*/}:$comm" ;;
        esac
    done
}

# gone_within SECONDS: no process of bulkhead's is left.
gone_within() {
    local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
    while [ -n "$(left_behind)" ]; do
        ((${EPOCHREALTIME/./} < end)) || return 1
        sleep 0.05
    done
}

# bulkhead_only: what has no meaning with another VMM in its place.
bulkhead_only() { [ "$RIG_VMM" = bulkhead ] || skip "only for bulkhead"; }

# ---- exits to userspace

count_begin() {
    echo 0 >$TRACE/tracing_on
    echo 8192 >$TRACE/buffer_size_kb
    echo >$TRACE/trace
    echo 1 >$TRACE/events/kvm/kvm_userspace_exit/enable
    echo 1 >$TRACE/events/kvm/kvm_pio/enable
    echo 1 >$TRACE/tracing_on
}

# count_end: sets EXITS (all), CONSOLE_EXITS (accesses to the 16550), OTHER_EXITS.
count_end() {
    local io pio
    echo 0 >$TRACE/tracing_on
    cp $TRACE/trace "$VM_DIR/trace"
    echo 0 >$TRACE/events/kvm/enable
    EXITS=$(grep -c 'kvm_userspace_exit:' "$VM_DIR/trace")
    io=$(grep -c 'kvm_userspace_exit:.*KVM_EXIT_IO' "$VM_DIR/trace")
    pio=$(grep -cE 'kvm_pio:.* at 0x3f[89a-f] ' "$VM_DIR/trace")
    CONSOLE_EXITS=$((io < pio ? io : pio))
    OTHER_EXITS=$((EXITS - CONSOLE_EXITS))
    sed -n 's/.*kvm_userspace_exit: //p' "$VM_DIR/trace" | sort | uniq -c | sed 's/^/  exits: /'
}

# expect_no_exits DEVICE KIND N THINGS: the line that the runner's table is made of.
expect_no_exits() {
    tell_exits "$@"
    expect "the console's were counted, so others would have been" [ "$CONSOLE_EXITS" -gt 0 ]
    expect "no exit to userspace but the console's" [ "$OTHER_EXITS" = 0 ]
}

tell_exits() { note "exits: $1, $2: $3 $4, $OTHER_EXITS exits besides the console's ($CONSOLE_EXITS)"; }
