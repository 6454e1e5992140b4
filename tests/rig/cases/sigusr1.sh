# rig: mem=2G devices=nvme,nvme limit=90
# SIGUSR1 has the counts of KVM_RUN returns by reason printed, for each
# processor, while the guest goes on; they are printed again at the end.
. /rig/lib.sh
bulkhead_only
bind_vfio "$NVME0"
run_guest info,pause6,config "$NVME0"
wait_for 'BH info' 60
lines_before=$(wc -l <"$ERR")
kill -USR1 "$VM"
sleep 1
tail -n +$((lines_before + 1)) "$ERR" >"$VM_DIR/counts"
sed 's/^/  /' "$VM_DIR/counts"
expect "a line names vcpu0" grep -q 'vcpu *0' "$VM_DIR/counts"
expect "a line names vcpu1" grep -q 'vcpu *1' "$VM_DIR/counts"
expect "there are counts" grep -qE '[a-z]+[ =:]+[1-9][0-9]*' "$VM_DIR/counts"
at_signal=$(grep -cE 'vcpu *[0-9]' "$ERR")
wait_for 'BH config' 30
power_off_clean
expect "and again at the end" [ "$(grep -cE 'vcpu *[0-9]' "$ERR")" -gt "$at_signal" ]
pass
