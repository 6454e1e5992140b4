# rig: mem=2G devices=nvme,nvme iommufd=too limit=300 long=yes
# A VM operated by its API: made, booted with a disk by VFIO, paused under load, restarted, shut down,
# booted again by fresh processes, deleted, made anew; the api killed, and nobody sees it. Each time
# audit is content, and between two lives the host has its disk.
. /rig/lib.sh
bulkhead_only
new_vm
SOCKET=$VM_DIR/api
CMDLINE="console=ttyS0 quiet loglevel=4 panic=-1 nohz=off highres=off lapic=notscdeadline bh.do=info,reads-on"
CONFIG=$(printf '{"cpus":{"boot_vcpus":2,"max_vcpus":2},"memory":{"size":536870912},
    "payload":{"kernel":"%s","initramfs":"%s","cmdline":"%s"},
    "serial":{"mode":"File","file":"%s"},"console":{"mode":"Off"},
    "devices":[{"path":"/sys/bus/pci/devices/%s","id":"disk"}]}' \
    "$BZIMAGE" "$INITRAMFS" "$CMDLINE" "$CONSOLE" "$NVME0")

# call NAME [JSON]: through the API, and it has to do it.
call() {
    "$BULKHEAD" ctl "$SOCKET" "$@" >"$VM_DIR/answer" 2>&1 && return 0
    sed 's/^/  | /' "$VM_DIR/answer"
    fail "$1: refused"
}
state() { "$BULKHEAD" ctl "$SOCKET" info | sed -n 's/^state *//p'; }
expect_state() { expect "the VM is $1" [ "$(state)" = "$1" ]; }
audited() {
    expect "audit is content" "$BULKHEAD" audit "$VM"
    expect "each has a leaf of the cgroup" [ "$("$BULKHEAD" audit "$VM" | grep -c '^  not here  cgroup')" = 0 ]
}
reads() { lines_with '^BH reads-on [0-9]'; }

# goes_on: it reads on; no read of it has failed.
goes_on() {
    local before n
    before=$(reads)
    for ((n = 0; n < 300 && $(reads) < before + 2; n++)); do sleep 0.1; done
    expect "the guest reads on" [ "$(reads)" -ge $((before + 2)) ]
    expect "no read of it has failed" [ -z "$(said 'reads-on error')" ]
}

# boots N: the guest's Nth start is to come; PROCESSES are this life's.
boots() {
    local end=$((SECONDS + 90 * PATIENCE))
    while (($(lines_with '^BH reads-on /dev') < $1)); do
        vm_alive || fail "the launcher has ended"
        ((SECONDS < end)) || fail "the guest did not start for the ${1}th time"
        sleep 0.1
    done
    PROCESSES=$(processes bulkhead-core; processes bulkhead-broker; processes bulkhead-vfio)
}

# at_the_hosts: no process of the life is left, and the host has its disk.
at_the_hosts() {
    expect "core, broker and helper have ended" [ -z "$(processes bulkhead-core; processes bulkhead-broker; processes bulkhead-vfio)" ]
    bind_host "$NVME0" || fail "$NVME0 is not the host's"
    expect "the host reads its disk" dd "if=$(disk_of "$NVME0")" of=/dev/null bs=1M count=1 iflag=direct
    bind_vfio "$NVME0"
}

mount -t cgroup2 none /sys/fs/cgroup || fail "no cgroup v2 in this kernel"
bind_vfio "$NVME0"
read -r -a more </rig/arguments
start "$BULKHEAD" -v --api-socket "path=$SOCKET" --event-monitor "path=$VM_DIR/events" --no-shutdown \
    --allow "ro=$BZIMAGE" --allow "ro=$INITRAMFS" --allow "serial=$VM_DIR" \
    --allow "device=/sys/bus/pci/devices/$NVME0" "${more[@]}"
for ((n = 0; n < 100 * PATIENCE; n++)); do [ ! -S "$SOCKET" ] || break; sleep 0.05; done
call ping
audited
call create "$CONFIG"
expect_state Created
call boot
boots 1
expect_state Running
audited
goes_on

call pause
expect_state Paused
sleep 1 # what was on its way to the console
before=$(reads)
sleep 3
expect "a paused guest does nothing" [ "$(reads)" = "$before" ]
audited
call resume
expect_state Running
goes_on

kill -9 "$(process bulkhead-api)"
for ((n = 0; n < 100 && $(lines_with 'it is started again' "$ERR") < 1; n++)); do sleep 0.1; done
expect "the api is started again" [ "$(lines_with 'it is started again' "$ERR")" = 1 ]
expect_state Running
audited
goes_on

first=$PROCESSES
call reboot
boots 2
expect "a restart is by the same processes" [ "$PROCESSES" = "$first" ]
goes_on
call shutdown
expect_state Created
at_the_hosts
call boot
boots 3
expect "a new life is of new ones" [ "$(printf "%s\n" "$first" "$PROCESSES" | sort -u | wc -l)" = 6 ]
audited
goes_on
call delete
expect "there is no VM" [ -z "$(state 2>/dev/null)" ]
at_the_hosts
call create "$CONFIG"
call boot
boots 4
goes_on
call vmm.shutdown
wait_exit 20
expect "all ends with 0" [ "$STATUS" = 0 ]
expect "nobody is left" gone_within 2
expect "nor the socket" [ ! -e "$SOCKET" ]
at_the_hosts
note "events: $(sed -n 's/.*"event": "\(.*\)".*/\1/p' "$VM_DIR/events" | paste -s -d ' ')"
expect "each start was told of" [ "$(lines_with '"booted"' "$VM_DIR/events")" = 3 ]
umount /sys/fs/cgroup
pass
