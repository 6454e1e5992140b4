# paths.sh: where things are, for every rig script that runs on the build
# machine.  Sourced; nothing is hard-wired to a checkout or a user.
# shellcheck shell=bash disable=SC2034

RIG_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(cd "$RIG_DIR/../.." && pwd)
RIG_CACHE=${BULKHEAD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bulkhead}/rig
RIG_BUILD=${RIG_BUILD:-$REPO/build/rig}
PATH=$PATH:$RIG_CACHE/tools/usr/bin

# The cached QEMU comes with every library it links to, C library and dynamic linker included, so it
# runs on any release.
qemu_linker() { echo "$1/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"; }
qemu_libs() { find "$1/usr/lib" -name '*.so.*' -printf '%h\n' | sort -u | paste -s -d :; }

# become_qemu ARGS…: the cached QEMU; it dies with the process that started it.
become_qemu() {
    local tree=$RIG_CACHE/qemu-11
    exec setpriv --pdeathsig KILL "$(qemu_linker "$tree")" --library-path "$(qemu_libs "$tree")" \
        "$tree/usr/bin/qemu-system-x86_64" -L "$tree/usr/share/seabios" -L "$tree/usr/share/qemu" "$@"
}

# The full kernel built from kernel.config and kernel.patch of this checkout, if there is one.
config_hash() { cat "$RIG_DIR"/kernel.{config,patch} | sha256sum | cut -c 1-12; }
full_kernel() {
    find "$RIG_CACHE/full" -maxdepth 1 -name "*-$(config_hash)" 2>/dev/null | sort -V | tail -n 1
}
