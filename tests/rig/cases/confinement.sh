# rig: mem=2G devices=nvme,nvme limit=300
# After set-up, by /proc: separate binaries in separate processes; seccomp in
# every thread; namespaces of their own and no capability in any set, but for the
# launcher, which holds no device, no KVM and no guest RAM; the core holds no
# device it could read or write; the helper exactly its device and its sockets.
. /rig/lib.sh
. /rig/confinement.sh
bulkhead_only
bind_vfio "$NVME0"
# The guest has used its disk and is idle: a busy one would slow the look at /proc.
run_guest info,read,irq,wait "$NVME0"
wait_for 'BH irq ' 60
confinement_table "$VM"

core=$(process bulkhead-core)
broker=$(process bulkhead-broker)
helper=$(process bulkhead-vfio)
expect "core, broker and helper are processes of their own" [ -n "$core" -a -n "$broker" -a -n "$helper" ]
expect "the opener has ended" [ -z "$(process bulkhead-open)" ]
for pid in "$core" "$broker" "$helper"; do
    expect "$(program_of "$pid") is a child of the launcher" [ "$(sed -n 's/^PPid:.//p' "/proc/$pid/status")" = "$VM" ]
done
for pid in $(tree_of "$VM"); do
    name=$(program_of "$pid")
    expect "$name: seccomp filters every thread" [ "$(thread_values "$pid" Seccomp)" = 2 ]
    expect "$name: no new privileges in any thread" [ "$(thread_values "$pid" NoNewPrivs)" = 1 ]
    [ "$pid" != "$VM" ] || continue
    expect "$name: no capability in any set of any thread" [ "$(capabilities "$pid")" = none ]
done
# SETUID, SETGID, KILL; and SETFCAP, as the VM has root's own id here.
expect "launcher: what it maps ids and ends its children by" \
    [ "$(capabilities "$VM")" = "CapEff:00000000800000e0 CapPrm:00000000800000e0" ]
expect "launcher: no device, no KVM, no guest RAM" [ -z "$(fds "$VM" | grep -oiE 'vfio|iommu|kvm|memfd')" ]
# has_own PID NAMESPACES…
has_own() {
    local pid=$1 ns own
    shift
    own=$(own_namespaces "$pid")
    for ns in "$@"; do
        expect "$(program_of "$pid"): its own $ns namespace" grep -qw "$ns" <<<"$own"
    done
}
for pid in "$core" "$broker" "$helper"; do has_own "$pid" user mnt pid net ipc uts; done

held=$(fds "$core")
# kvm-vfio is KVM's own list of VFIO files; what is on it, by which it is taken off again, stands where
# no row of the core's filters lets it be read or written.
expect "the core holds no IOMMU descriptor" [ -z "$(grep -oi iommu <<<"$held")" ]
low=$(for fd in "/proc/$core"/fd/*; do [ "${fd##*/}" -ge 64 ] || readlink "$fd"; done | grep -v kvm-vfio)
expect "the core can read and write no VFIO descriptor" [ -z "$(grep -oi vfio <<<"$low")" ]
expect "it has one, of what KVM knows the device by" \
    [ "$(for fd in "/proc/$core"/fd/*; do readlink "$fd"; done | grep -v kvm-vfio | grep -ci vfio)" = 1 ]
expect "the helper holds one device" [ "$(count_fds "$helper" vfio-device)" = 1 ]
others=$(fds "$helper" | tr ',' '\n' | awk '$2 !~ /^(vfio-device|socket|eventfd|eventpoll|signalfd|timerfd|pidfd)$/')
expect "the helper holds its device, sockets and event descriptors only" [ -z "$others" ]
expect "vcpu0 and vcpu1 are threads of the core" [ "$(cat "/proc/$core"/task/*/comm | grep -cE '^vcpu[01]$')" = 2 ]
kill -9 "$VM"
gone_within $((2 * PATIENCE)) || fail "left behind: $(left_behind)"
pass
