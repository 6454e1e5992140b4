# rig: vdpa=on boot=full mem=3G devices=nvme,vnet,vblk,vnetmq limit=270 long=yes
# Queue counts: a guest of one processor on a disk of four queues; a disk of
# three; num_queues below the device's number, which works or is refused; a card
# without its control queue; numbers no device has, which are refused.
. /rig/lib.sh
. /rig/vdpa.sh
. /rig/refuse.sh

# works WHAT WORDS NODE…: a guest does its job and powers off.
works() {
    run_guest "$2,info bh.woff=8192 bh.seed=$RANDOM" "${@:3}"
    power_off_clean
    note "$1: $(said 'virtio ' | sed 's/ features.*//; s/^BH //')"
    note "$(said 'block vda')"
}

# works_or_not WHAT NODE: the same, or the one message of a refusal.
works_or_not() {
    run_guest "write,info bh.woff=8192 bh.seed=$RANDOM" "$2"
    local n
    for ((n = 0; n < 40; n++)); do vm_alive || break; sleep 0.1; done
    if ! vm_alive && ! grep -aqs '^BH up' "$CONSOLE"; then
        note "$1: refused: $(cat "$ERR")"
        expect "$1: refused with a message about it" grep -qi 'queue' "$ERR"
        return
    fi
    power_off_clean
    note "$1: $(said 'block vda') $(said 'virtio ' | sed 's/ features.*//; s/^BH //')"
    expect_written
}

truncate -s 64M /run/image4 /run/image3
make_vduse_blk q4 /run/image4 4
CPUS=1 works "one processor, a disk of four queues" write "$NODE"
expect_written
expect "the guest uses one of them" [ "$(field "$(said 'block vda')" queues)" = 1 ]

make_vduse_blk q3 /run/image3 3
CPUS=4 works "four processors, a disk of three queues" write "$NODE"
expect_written
expect "the guest uses three" [ "$(field "$(said 'block vda')" queues)" = 3 ]

bulkhead_only
CPUS=4 works_or_not "num_queues=2 of three" "$NODE,num_queues=2"
with_vdpa() { plain --vdpa "path=$1"; }
refuse "num_queues above the device's" "num_queues|queues" with_vdpa "$NODE,num_queues=4"
refuse "num_queues=0" "num_queues" with_vdpa "$NODE,num_queues=0"
refuse "num_queues=x" "num_queues" with_vdpa "$NODE,num_queues=x"

make_sim_net n0 mac 52:54:00:11:22:33
refuse "a card with one queue" "num_queues|queue" with_vdpa "$NODE,num_queues=1"
works "a card without its control queue" "net,loop" "$NODE,num_queues=2"
expect "its packets come back" [ "$(field "$(said 'packets end')" received)" = 10000 ]
pass
