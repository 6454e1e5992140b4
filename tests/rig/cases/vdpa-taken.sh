# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq limit=150 long=yes
# The host removes a vDPA device while a guest reads from it (`vdpa dev del`, which waits for whoever has
# its node open, and tells nobody): within ten seconds it is gone, and the guest goes on with its other one.
. /rig/lib.sh
. /rig/vdpa.sh
bulkhead_only
hugepages 512
rm -f /run/image
truncate -s 64M /run/image
make_vp p1 "$VBLK"
gone=$NODE
make_vduse_blk vd0 /run/image 2
run_guest "info,together,wait bh.reads=200" "$gone" "$NODE"
wait_for 'BH together vd' 90
since=${EPOCHREALTIME/./}
timeout 60 bash -c '. /rig/lib.sh; . /rig/vdpa.sh; vdpa_tool dev del p1' || fail "vdpa dev del: no end"
took=$(((${EPOCHREALTIME/./} - since) / 1000))
note "vdpa dev del took $took ms"
grep -E 'wants|taken' "$ERR" | sed 's/^/  | /'
expect "the host has it within ten seconds" [ $took -lt 10000 ]
expect "the node is gone" [ ! -e "$gone" ]
expect "the VM goes on" vm_alive
expect "the VM says what the host wants" grep -q "${gone##*/}: the host wants the device back" "$ERR"
expect "and that it has it" grep -q "${gone##*/}: the host has taken the device back" "$ERR"
kill -QUIT "$VM"
wait_exit 10
expect "nobody is left" gone_within 2
pass
