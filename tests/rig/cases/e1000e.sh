# rig: mem=2G devices=nvme,nvme,e1000e limit=200
# One network card by INTx, MSI and MSI-X in turn, the driver unloaded between
# them, twelve times in all; ping answers each time.  Across a reboot of the
# guest, and back to the host.
. /rig/lib.sh
bulkhead_only
bind_vfio "$E1000E"
run_guest "net iomem=relaxed" "$E1000E"
wait_for 'BH net end' 240
grep -aE '^BH (net|irqline)' "$CONSOLE" | tr -d '\r' | sed 's/^BH/ /'
for mode in 0 1 2; do
    expect "interrupt mode $mode: every ping is answered, four times over" \
        [ "$(grep -acE "^BH net mode=$mode .*lost=0 " "$CONSOLE")" = 4 ]
done
expect "mode 0 is INTx" [ "$(grep -acE '^BH net mode=0 .*kind=fasteoi' "$CONSOLE")" = 4 ]
expect "mode 1 is MSI" [ "$(grep -acE '^BH net mode=1 .*kind=msi ' "$CONSOLE")" = 4 ]
expect "mode 2 is MSI-X" [ "$(grep -acE '^BH net mode=2 .*kind=msix ' "$CONSOLE")" = 4 ]
power_off_clean
expect "nothing of it was refused" [ "$(grep -c refused "$ERR")" = 0 ]
unbind "$E1000E"
pass
