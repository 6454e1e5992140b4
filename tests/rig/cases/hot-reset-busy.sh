# rig: mem=2G devices=nvme,old limit=480 long=yes
# Sixteen reboots of a guest whose card can be reset by its bus only, while the host holds the lock of
# that bus, as whoever reads of a device in sysfs may: the hot reset then says EAGAIN. Each boot finds
# the card, and nothing of the boot before in it. One processor: of seventeen boots with two, one would
# lose a signal between them to the emulator (stood_still in lib.sh).
. /rig/lib.sh
bulkhead_only
OLD0=$(basename "$(echo /sys/bus/pci/devices/0000:00:1c.0/0000:*:01.0)")
OLD1=${OLD0%01.0}02.0
BOOTS=17
CPUS=1

# hold_lock: resets of the other card, which cannot be as it is not alone on its bus; the kernel holds
# its lock and the bridge's until it knows (pci_reset_function). That sysfs has one for it is from when
# it was found, alone. From when the guest is to restart until a second after it has: never while it
# boots, as it then measures its timer, against a clock that this leaves no time for.
hold_lock() {
    local held=0 end
    while :; do
        sleep 0.1
        [ "$(lines_with 'BH reboot by')" -gt "$held" ] || continue
        held=$((held + 1))
        end=0
        while ((end == 0 || ${EPOCHREALTIME/./} < end)); do
            for _ in {1..20}; do echo 1 >"/sys/bus/pci/devices/$OLD0/reset"; done 2>/dev/null
            if ((end == 0)) && [ "$(lines_with 'Restarting system')" -ge "$held" ]; then
                end=$((${EPOCHREALTIME/./} + 1000000))
            fi
        done
    done
}

disk=$(disk_of "$NVME0") || fail "L1 has no disk at $NVME0"
dd if=/dev/zero of="$disk" bs=1024 seek=15360 count=4 conv=fsync 2>/dev/null
bind_vfio "$NVME0"
bind_vfio "$OLD0"
bind_vfio "$OLD1"
expect "the host can ask for a reset of the other one" [ -w "/sys/bus/pci/devices/$OLD0/reset" ]
# Answers of EAGAIN (-11) to requests of VFIO helpers.
event=$TRACE/events/syscalls/sys_exit_ioctl
echo 'ret == -11 && comm == "bulkhead-vfio"' >$event/filter || fail "this kernel does not trace system calls"
echo >$TRACE/trace
echo 1 | tee $event/enable >$TRACE/tracing_on
run_guest "marks,reboots bh.woff=15360 bh.ways=$(yes acpi,pci,kbd,triple | head -n 4 | paste -s -d ,)" "$NVME0" "$OLD1"
hold_lock &
HOLDER=$!
trap 'kill $HOLDER 2>/dev/null' EXIT
wait_for "BH boot $((BOOTS - 1))" 400
kill $HOLDER
echo 0 | tee $event/enable >$TRACE/tracing_on
power_off_clean
refused=$(grep -c 'sys_ioctl' $TRACE/trace)
note "$refused answers of EAGAIN to requests of helpers"
grep -a '^BH mark' "$CONSOLE" | tr -d '\r' | sort | uniq -c | sed 's/^/ /'
grep 'reset' "$ERR" | grep -v 'boots again' | sort | uniq -c | sed 's/^/  | /'
expect "a hot reset was refused with EAGAIN" [ "$refused" -gt 0 ]
expect "each of $BOOTS boots finds the card" [ "$(grep -ac '^BH mark.*left=0x0*50' "$CONSOLE")" = $BOOTS ]
expect "and nothing of the one before in it" [ "$(grep -ac '^BH mark.*was=0x0*50' "$CONSOLE")" = 0 ]
expect "no reset failed" [ "$(grep -c 'VFIO_DEVICE_PCI_HOT_RESET:' "$ERR")" = 0 ]
pass
