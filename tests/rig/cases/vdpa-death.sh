# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq limit=150
# The vDPA helper is killed under I/O of a disk and a card: the core lives, a line
# names each device and the cause, the guest is not hung and powers off.
. /rig/lib.sh
. /rig/vdpa.sh
bulkhead_only
make_sim_net n0 mac 52:54:00:11:22:33
net=$NODE
make_sim_blk b0
run_guest "io-background,net-background,pause12,info" "$net" "$NODE"
wait_for 'BH net starts' 60
sleep 2
helpers=$(processes bulkhead-vdpa)
expect "there is a helper a device" [ "$(wc -w <<<"$helpers")" = 2 ]
# shellcheck disable=SC2086
kill -9 $helpers
sleep 2
expect "the core lives" [ -n "$(process bulkhead-core)" ]
grep -i vdpa "$ERR" | tail -n 4 | sed 's/^/  | /'
for node in "$net" "$NODE"; do
    expect "a line names ${node##*/} and the cause" \
        grep -qiE "${node##*/}.*(kill|signal|died|ended|gone|exit)" "$ERR"
done
wait_for 'BH info' 60
wait_for 'BH end' 30
wait_exit 60
expect "poweroff ends the process with 0" [ "$STATUS" = 0 ]
gone_within 2 || fail "left behind: $(left_behind)"
rm -f /run/reopened
timeout 10 bash -c "exec 3<>$NODE && touch /run/reopened"
expect "the node can be opened again" [ -e /run/reopened ]
pass
