# breakout.sh: the breakout suite in L1, with a vfio and a vdpa helper.  Sourced by
# its two cases after lib.sh and vdpa.sh.
# shellcheck shell=bash

# breakout KERNEL NODE: all of it; its rows are to be those of tests/breakout/rows.KERNEL.
breakout() {
    bulkhead_only
    [ -x /rig/bin/breakout/breakout ] || skip "build/breakout is not built: make breakout"
    mount -t cgroup2 none /sys/fs/cgroup
    bind_vfio "$NVME0"
    TMPDIR=/run /rig/bin/breakout/breakout --vfio "/sys/bus/pci/devices/$NVME0/" --vdpa "$2" /out/rows | sed 's/^/  /'
    expect "every actor of every scenario" [ "${PIPESTATUS[0]}" = 0 ]
    diff -u "/rig/rows.$1" /out/rows | sed 's/^/  /' || true
    expect "the matrix is the one in the tree (tests/breakout/rows.$1)" cmp -s "/rig/rows.$1" /out/rows
    pass
}
