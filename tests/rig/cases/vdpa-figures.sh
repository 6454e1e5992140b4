# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq limit=120
# Figures of the vDPA helper for the README: memory of every process without
# guest RAM (PSS), what each may and holds, and the vhost ioctls that the filter
# of the running helper lets through.
. /rig/lib.sh
. /rig/vdpa.sh
. /rig/confinement.sh
bulkhead_only
hugepages 512
make_vp p0 "$VNET"
run_guest "info,net-forever bh.net=user" "$NODE"
wait_for 'BH net starts' 60
sleep 2

# PSS in KiB of one process, leaving out mappings of guest RAM and of devices.
own_pss() {
    awk '/^[0-9a-f]+-[0-9a-f]+ / { skip = /memfd:|hugetlb|vhost-vdpa/ } /^Pss:/ && !skip { s += $2 } END { print s + 0 }' \
        "/proc/$1/smaps"
}

for pid in $(tree_of "$VM"); do
    note "$(printf '%-18s %6d KiB PSS' "$(program_of "$pid")" "$(own_pss "$pid")")"
done
confinement_table "$VM"
helper=$(process bulkhead-vdpa)
expect "the helper is a process of its own" [ -n "$helper" ]
expect "it takes at most 1 MiB" [ "$(own_pss "$helper")" -le 1024 ]
expect "seccomp filters every thread of it" [ "$(thread_values "$helper" Seccomp)" = 2 ]
expect "no capability in any set of any thread" [ "$(capabilities "$helper")" = none ]
/rig/bin/ioctls "$helper" >/run/ioctls 2>&1 || fail "its filters could not be read: $(cat /run/ioctls)"
sed 's/^/  /' /run/ioctls
for name in SET_OWNER RESET_OWNER SET_MEM_TABLE SET_LOG_BASE SET_LOG_FD SET_VRING_ERR; do
    expect "no $name while it runs" [ -z "$(grep -w "$name" /run/ioctls)" ]
done
for name in VDPA_SET_STATUS SET_VRING_ADDR SET_VRING_KICK SET_VRING_CALL VDPA_GET_CONFIG; do
    expect "$name, which it needs" grep -qw "$name" /run/ioctls
done
kill -9 "$VM"
gone_within 2 || fail "left behind: $(left_behind)"
pass
