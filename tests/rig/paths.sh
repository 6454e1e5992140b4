# paths.sh: where things are, for every rig script that runs on the build
# machine.  Sourced; nothing is hard-wired to a checkout or a user.
# shellcheck shell=bash disable=SC2034

RIG_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(cd "$RIG_DIR/../.." && pwd)
RIG_CACHE=${BULKHEAD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bulkhead}/rig
RIG_BUILD=${RIG_BUILD:-$REPO/build/rig}
PATH=$PATH:$RIG_CACHE/tools/usr/bin

# qemu_libs TREE: the library path that lets an unpacked QEMU start.
qemu_libs() {
    find "$1/usr/lib" "$1/lib" -name '*.so.*' -printf '%h\n' 2>/dev/null | sort -u | paste -s -d :
}

# become_qemu ARGS…: the cached QEMU when there is one, else the machine's; it
# dies with the process that started it.
become_qemu() {
    local tree=$RIG_CACHE/qemu
    if [ -x "$tree/usr/bin/qemu-system-x86_64" ]; then
        exec setpriv --pdeathsig KILL env LD_LIBRARY_PATH="$(qemu_libs "$tree")" \
            "$tree/usr/bin/qemu-system-x86_64" -L "$tree/usr/share/seabios" -L "$tree/usr/share/qemu" "$@"
    fi
    exec setpriv --pdeathsig KILL qemu-system-x86_64 "$@"
}

# The full kernel built from the kernel.config of this checkout, if there is one.
config_hash() { sha256sum "$RIG_DIR/kernel.config" | cut -c 1-12; }
full_kernel() {
    find "$RIG_CACHE/full" -maxdepth 1 -name "*-$(config_hash)" 2>/dev/null | sort -V | tail -n 1
}
