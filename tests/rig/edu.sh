# edu.sh: for the cases with the educational device.  Sourced inside L1 after lib.sh.
# shellcheck shell=bash

# find_edu: EDU, and the number its accesses carry.
find_edu() {
    local dev
    for dev in /sys/bus/pci/devices/*; do
        [ "$(cat "$dev/vendor")$(cat "$dev/device")" != 0x12340x11e8 ] || EDU=${dev##*/}
    done
    [ -n "${EDU:-}" ] || fail "L1 has no educational device"
    EDU_ID=$(printf '0x%x' $((0x${EDU:5:2} << 8 | 0x${EDU:8:2} << 3 | ${EDU:11})))
    BEFORE=$(wc -l </out/qemu.log)
}

# stopped: the IOMMU's own word for which of its accesses it stopped since then, «ADDRESS 0|1» by page, 1 a
# write.  The host's log has them too (logged), but is cut to three in five seconds.
stopped() {
    tail -n +$((BEFORE + 1)) /out/qemu.log |
        sed -nE "s/^.*vtd_dmar_fault sid $EDU_ID fault [0-9]+ addr (0x[0-9a-f]+) write ([01])\$/\1 \2/p" |
        while read -r address write; do echo "$(page_of "$address") $write"; done | sort -u
}
page_of() { printf '0x%x' $(($1 & ~0xfff)); }

# logged: what the host's kernel has in its log of this case.
logged() { dmesg | awk -v t="$CASE_SINCE" -F '[][ ]+' '$2 >= t'; }
# Linux 7 writes the domain too.
logged_of_edu() { logged | grep -E "DMAR: .* Request device \[(0000:)?${EDU#0000:}\] fault addr "; }

interrupt_row() { awk -v n="$1:" '$1 == n { for (i = 2; i <= NF && $i ~ /^[0-9]+$/; i++) s += $i } END { print s + 0 }' /proc/interrupts; }
# stray: interrupts nobody is there for.
stray() { echo "NMI $(interrupt_row NMI), ERR $(interrupt_row ERR), MIS $(interrupt_row MIS), no handler $(dmesg | grep -c 'No irq handler')"; }
