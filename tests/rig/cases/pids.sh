# rig: mem=2G devices=nvme limit=300 long=yes
# pids.max too small by one, by two, and so on: each time one clear end, soon, with the next step named and
# nobody left; with enough the guest runs.
. /rig/lib.sh
bulkhead_only
mkdir -p /run/cg
mount -t cgroup2 none /run/cg 2>/dev/null || mountpoint -q /run/cg || fail "no cgroup2"
echo +pids >/run/cg/cgroup.subtree_control || skip "this kernel has no pids controller"
mkdir -p /run/cg/vm
start() {
    become bash -c 'echo $$ >/run/cg/vm/cgroup.procs; exec "$@"' - "$@" >"$VM_DIR/stdout" 2>"$ERR" </dev/null &
    VM=$!
}
bind_vfio "$NVME0"
enough=
for ((max = 2; max <= 20; max++)); do
    echo $max >/run/cg/vm/pids.max
    run_guest info,read "$NVME0"
    for ((n = 0; n < 600; n++)); do
        vm_alive || break
        ! told 'BH end' || break
        sleep 0.1
    done
    told 'BH end' || ! vm_alive || fail "pids.max $max: neither an end nor a guest"
    wait_exit 20
    note "pids.max $max: status $STATUS: $(grep -E 'error:' "$ERR" | tail -n 1 | cut -c 1-150)"
    if [ $STATUS = 0 ]; then enough=$max; break; fi
    expect "an error that names what is short" grep -qE 'error: .*(pids.max|limits on processes|Resource temporarily)' "$ERR"
    expect "nobody is left" gone_within 5
    expect "nvme takes its device back" bind_host "$NVME0"
    bind_vfio "$NVME0"
done
expect "there is a number that is enough ($enough)" [ -n "$enough" ]
expect "and one too small was tried" [ "$enough" -gt 2 ]
rmdir /run/cg/vm
pass
