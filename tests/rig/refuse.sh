# refuse.sh: for the cases of bad input.  Sourced inside L1 after lib.sh.
# shellcheck shell=bash

plain() {
    local more
    read -r -a more </rig/arguments
    "$BULKHEAD" "${more[@]}" --kernel "${KERNEL:-$BZIMAGE}" --initramfs "$INITRAMFS" --cmdline console=ttyS0 \
        --serial null --console off --memory "size=${MEMORY:-256M}" "$@"
}
with_device() { plain --device "path=/sys/bus/pci/devices/$1/"; }

# What is said about time on a slow machine does not count.
lines_said() { grep -cv 'MiB of guest RAM allocated' /run/err; }

# refuse WHAT PATTERN COMMAND…: it must end with status 1 and one line on stderr
# that matches, leave no process, and change no binding.
refuse() {
    local what=$1 pattern=$2 status before
    shift 2
    before=$(bindings)
    "$@" >/run/out 2>/run/err </dev/null &
    local pid=$!
    ( sleep 20; kill -9 $pid ) 2>/dev/null &
    local guard=$!
    wait $pid 2>/dev/null
    status=$?
    kill $guard 2>/dev/null
    note "$what → $status: $(cat /run/err)"
    if [ "$status" != 1 ]; then wrong "$what: status $status, not 1"
    elif [ "$(lines_said)" != 1 ]; then wrong "$what: $(lines_said) lines on stderr, not one"
    elif ! grep -qiE -- "$pattern" /run/err; then wrong "$what: the message does not say «$pattern»"
    elif [ "$before" != "$(bindings)" ]; then wrong "$what: a binding changed"
    elif [ -z "${OTHER_VM:-}" ] && ! gone_within 2; then wrong "$what: left behind: $(left_behind)"
    fi
}

# Every wrong one is told of, the first is the verdict's reason.
WRONG=
wrong() {
    note "WRONG: $*"
    WRONG=${WRONG:-$*}
}

bindings() { find /sys/bus/pci/drivers -name '0000:*'; }

pass() {
    [ -z "$WRONG" ] || { echo "FAIL $CASE: $WRONG"; exit 0; }
    echo "PASS $CASE"
    exit 0
}
