# zoo.sh: one of each of what bulkhead is to know (`devices=zoo`, tests/rig/machine.sh), and what
# the cases with them have in common.  Sourced inside L1 after lib.sh.
# shellcheck shell=bash disable=SC2034

VECTORS=(0000:00:13.0 0000:00:14.0 0000:00:15.0) # NVMe with 2,048 vectors each
CMB=0000:00:16.0
USB=0000:00:17.0
SHARED=0000:00:18.0
BIG32=(0000:00:04.0 0000:00:05.0 0000:00:06.0) # a BAR of 256 MiB each that is below 4 GiB
SIXTEEN=(0000:00:0b.{0..7} 0000:00:0c.{0..7})

# in_guest N: the address that the guest's Nth device has there.
in_guest() { printf '0000:00:%02x.0' "$1"; }

# fill DISK: what the guest is to find on a disk of the host's, and the count of its boots; the
# digest.
fill() {
    put_data "$1" 2048 "$CASE $RANDOM"
    dd if=/dev/zero of="$1" bs=1024 seek=15360 count=4 conv=fsync 2>/dev/null
    digest "$1" 2048
}

# take BDF…: fill each of these disks and give it to vfio-pci; SHAS has the digests.
take() {
    local dev disk
    SHAS=()
    for dev in "$@"; do
        disk=$(disk_of "$dev") || fail "L1 has no disk at $dev"
        SHAS+=("$(fill "$disk")")
        bind_vfio "$dev"
    done
}

# work_of N: what the guest said of its Nth device's disk at its last boot.
work_of() { grep -a "^BH all $(in_guest "$1") " "$CONSOLE" | tail -n 1 | tr -d '\r'; }

# boots_and_reads BOOTS WHAT KIND: disks read and written at each boot, SHAS on the first of them; then
# reads of all at once at no exit.
boots_and_reads() {
    local boots=$1 n line
    wait_for 'BH each end' 90
    grep -aE '^BH each [^e]' "$CONSOLE" | tr -d '\r' | sed 's/^BH/ /'
    wait_for 'BH together begin' $((90 * boots))
    count_begin
    wait_for 'BH together end' 200
    count_end
    line=$(said 'together end')
    note "$line"
    note "boots: $(sed -n 's/^BH \(boot [0-9]*\|reboot by .*\)/\1/p' "$CONSOLE" | tr -d '\r' | paste -s -d ,)"
    expect "the guest has booted $boots times" [ "$(grep -ac '^BH up' "$CONSOLE")" = "$boots" ]
    for n in "${!SHAS[@]}"; do
        expect "disk $((n + 1)): at every boot the guest reads what the host wrote" \
            [ "$(grep -ac "^BH all $(in_guest $((n + 1))) read=${SHAS[n]} " "$CONSOLE")" = "$boots" ]
        expect "disk $((n + 1)): and finds what it wrote" \
            [ "$(field "$(work_of $((n + 1)))" found)" = "$(field "$(work_of $((n + 1)))" wrote)" ]
    done
    expect "all reads of ${#SHAS[@]} disks are good" \
        [ "$(field "$line" failed)/$(field "$line" disks)" = "0/${#SHAS[@]}" ]
    expect_no_exits "$2" "$3" "$(field "$line" n)" "reads"
}

# turns N: of `turns`.
turns() {
    wait_for 'BH turns end' 250
    note "by the guest's clock: $(sed -n 's/^BH at //p' "$CONSOLE" | tr -d '\r' | paste -s -d ,)"
    expect "$1 times the drivers unloaded and loaded, nothing lost" \
        [ "$(grep -acE '^BH turn [0-9]+ ok' "$CONSOLE")" = "$1" ]
    expect "and nothing else was said of it" [ "$(grep -acE '^BH turn[: ]' "$CONSOLE")" = "$1" ]
}

# expect_pieces ROUNDS: of what `bar` said, five pieces each; all but the first found what was there.
expect_pieces() {
    local lines; lines=$(grep -a '^BH piece' "$CONSOLE" | tr -d '\r')
    sort <<<"$lines" | uniq -c | sed 's/^/ /'
    expect "$1 times, at five places, the guest reads what it wrote" \
        [ "$(sed 's/.*wrote=\(.*\) found=\(.*\)/\1 \2/' <<<"$lines" | awk '$1 == $2' | wc -l)" = $((5 * $1)) ]
    expect "and what it wrote the last time" \
        [ "$(sed 's/.*was=\(.*\) wrote=\(.*\) found=.*/\1 \2/' <<<"$lines" | awk '$1 == $2' | wc -l)" = $((5 * $1 - 5)) ]
}

# give_back BDF…: to the host's driver, which finds on each disk what the guest wrote last.
give_back() {
    local dev disk n=0
    for dev in "$@"; do
        n=$((n + 1))
        bind_host "$dev" || fail "$dev did not bind back"
        disk=$(disk_of "$dev") || fail "no disk at $dev after binding back"
        [ "$(digest "$disk" 8192)" = "$(field "$(work_of $n)" wrote)" ] || fail "$dev does not hold what the guest wrote"
    done
    note "ok: $n devices bind back to nvme, each with what the guest wrote"
}

# WORDS of a guest with disks that boots twice.
WORDS="each,all,reboots,together,turns bh.roff=2048 bh.woff=8192 bh.count=15360 bh.seed=$RANDOM bh.ways=pci"
