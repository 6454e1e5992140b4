# rig: mem=2G devices=nvme,nvme limit=240
# bulkhead audit: a VM with a disk of its own, run as a user of its own in a cgroup
# of its own, is as promised, and goes on; without those two it still is; with
# --seccomp log or false it is weaker, and the audit says where.
. /rig/lib.sh
bulkhead_only
mount -t cgroup2 none /sys/fs/cgroup || skip "no cgroup v2 in this kernel"

# audit ARGUMENT…: its report, and STATUS
audit() {
    "$BULKHEAD" audit "$@" "$VM" >"$VM_DIR/audit" 2>&1
    STATUS=$?
    sed 's/^/  | /' "$VM_DIR/audit"
}
# verdicts ROW: of core, broker and helper, whose walls those are; the launcher is what STATUS is about.
verdicts() {
    awk -v c="$1" '/^[0-9]+ / { sealed = $2 != "bulkhead:" }
        sealed && $0 ~ "^  (ok|not here|unseen|unknown|WEAK) +" c " " { print $1 }' "$VM_DIR/audit" | sort | uniq -c | xargs
}
layer_line() { grep -q "confine: $1" "$ERR"; }

bind_vfio "$NVME0"
run_guest info,read,irq,io-forever "$NVME0" -- --user 64321
wait_for 'BH io starts' 60
grep -E 'tenancy|confine: (cgroup|core sched|user)' "$ERR" | sed 's/^/  | /'
expect "it has a cgroup" layer_line 'cgroup: /sys/fs/cgroup/bulkhead-'
audit
expect "as promised" [ "$STATUS" = 0 ]
expect "four processes" [ "$(grep -cE '^[0-9]+ bulkhead(-core|-broker|-vfio)?:' "$VM_DIR/audit")" = 4 ]
expect "a user of its own" [ "$(verdicts user)" = '3 ok' ]
expect "a leaf of the cgroup each" [ "$(verdicts cgroup)" = '3 ok' ]
expect "every filter as shipped" [ "$(verdicts seccomp)" = '3 ok' ]
expect "every binary as built" [ "$(verdicts binary)" = '3 ok' ]
expect "no memory for their user to look at" [ "$(verdicts dumpable)" = '3 ok' ]
for ((n = 0; n < 20; n++)); do "$BULKHEAD" audit --json "$VM" >/dev/null || fail "audit $n: status $?"; done
vm_alive || fail "the VM did not survive being audited"
expect "the report for machines says the same" [ "$("$BULKHEAD" audit --json "$VM" | grep -c '"verdict": "weak"')" = 0 ]
auditor=$(setpriv --reuid 65534 --regid 65534 --clear-groups "$BULKHEAD" audit "$VM" >"$VM_DIR/few" 2>&1; echo $?)
expect "without rights it cannot tell" [ "$auditor" = 2 ]
kill "$VM"
wait_exit 20
expect "the VM is cut off in order" [ "$STATUS" = 3 ]
left=$(find /sys/fs/cgroup -maxdepth 1 -name 'bulkhead-*' | wc -l)

run_guest info,io-forever "$NVME0"
wait_for 'BH io starts' 60
note "cgroups of VMs: $left after the first had ended, $(find /sys/fs/cgroup -maxdepth 1 -name 'bulkhead-*' | wc -l) with the second"
expect "the next start removes what the last left" [ "$(find /sys/fs/cgroup -maxdepth 1 -name 'bulkhead-*' | wc -l)" = 1 ]
audit
expect "as root it is as promised, too" [ "$STATUS" = 0 ]
kill "$VM"
wait_exit 20

for mode in log false; do
    # In log mode there is a tracer, and who is traced shows nobody else its filters.
    case $mode in log) where=tracer ;; *) where='seccomp .*vcpu1' ;; esac
    run_guest info,io-forever "$NVME0" -- --seccomp $mode
    wait_for 'BH io starts' 60
    audit
    expect "--seccomp $mode is weaker" [ "$STATUS" = 1 ]
    expect "and it says where" grep -q "WEAK *$where" "$VM_DIR/audit"
    kill -9 "$VM"
    gone_within $((2 * PATIENCE)) || fail "left behind: $(left_behind)"
done
umount /sys/fs/cgroup
pass
