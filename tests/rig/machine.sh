# machine.sh: the machine a case asks for, as QEMU options.  Sourced by run; `args` and
# `dir` are the boot's own.
# shellcheck shell=bash disable=SC2154

# add_disk N DRIVE-OPTIONS: a fresh 64 MiB image and its NVMe.
add_disk() {
    truncate -s 64M "$dir/disk$1.img"
    args+=(-drive "if=none,id=d$1,file=${dir//,/,,}/disk$1.img,format=raw"
        -device "nvme,serial=rig$1,drive=d$1,$2")
}

# add_old: two conventional cards behind a bridge; neither can be reset alone.
add_old() {
    args+=(-device "pcie-pci-bridge,id=br0,addr=0x1c" -device "e1000,bus=br0,addr=1,romfile="
        -device "e1000,bus=br0,addr=2,romfile=")
}

# add_card MODEL ADDR [ROM]: a network card on a user network of its own, with an echo.
add_card() {
    args+=(-netdev "user,id=u$1,restrict=on,guestfwd=tcp:10.0.2.100:7-cmd:cat"
        -device "$1,netdev=u$1,addr=$2,romfile=${3:-}")
}

# add_rom: an expansion ROM of 24 KiB, header and data structure as PCI Firmware 3.0, 5.1 has them;
# firmware does not run it, as its checksum is wrong.
add_rom() {
    {
        printf '\x55\xaa\x30%021d\x1c\0\0\0PCIR\x86\x80\xd3\x10\0\0\x18\0\0\0\0\x02\x30\0\0\0\0\x80\0\0' 0
        yes "bulkhead rom" | head -c 24524
    } >"$dir/rom"
}

# add_igb: a network card with virtual functions, behind a port of its own, on QEMU's
# user network with an echo behind its wall.
add_igb() {
    args+=(-device "pcie-root-port,id=rp1,addr=0x1d,chassis=2"
        -netdev "user,id=ui,restrict=on,guestfwd=tcp:10.0.2.100:7-cmd:cat"
        -device "igb,bus=rp1,netdev=ui,romfile=")
}

# add_aer: a disk that can report errors (of QEMU's devices that is virtio's), behind a port of its own,
# and QEMU's monitor at the other end of the host's second serial port, which makes it do so.
add_aer() {
    yes aer | head -c 4M >"$dir/diskaer.img"
    args+=(-device "pcie-root-port,id=rp4,addr=0x1d,chassis=5"
        -drive "if=none,id=daer,file=${dir//,/,,}/diskaer.img,format=raw"
        -device "virtio-blk-pci,id=aer,bus=rp4,drive=daer,aer=on,$vp"
        -chardev "socket,id=wire,path=${dir//,/,,}/monitor,server=on,wait=off" -mon "chardev=wire,mode=readline"
        -chardev "socket,id=hand,path=${dir//,/,,}/monitor" -serial chardev:hand)
}

# add_edu: a device made to be driven by hand, which asks for any address by DMA, behind
# a port of its own, so that it can be reset.  What the IOMMU stops it says in qemu.log.
add_edu() {
    args+=(-device "pcie-root-port,id=rp3,addr=0x1e,chassis=4"
        -device "edu,bus=rp3,dma_mask=0xffffffffffffffff"
        -trace vtd_dmar_fault)
}

# What a virtio device needs to be handed on by vp_vdpa, doorbells and all.
vp=iommu_platform=on,disable-legacy=on,page-per-vq=on

# add_vnet: a network card on QEMU's user network, with an echo behind its wall.
add_vnet() {
    args+=(-netdev "user,id=un,restrict=on,guestfwd=tcp:10.0.2.100:7-cmd:cat"
        -device "virtio-net-pci,netdev=un,addr=0x18,romfile=,$vp")
}

# add_vblk: a disk of 64 MiB with two queues.
add_vblk() {
    truncate -s 64M "$dir/diskvblk.img"
    args+=(-drive "if=none,id=dv,file=${dir//,/,,}/diskvblk.img,format=raw"
        -device "virtio-blk-pci,drive=dv,addr=0x19,num-queues=2,$vp")
}

# add_vnetmq: a card with two pairs of queues.  Only a tap has several; it and the
# whole QEMU are in a network namespace of their own.  Without the rights for that
# the machine has no such card, and its cases say so.
add_vnetmq() {
    can_tap || return 0
    own_net=1
    args+=(-netdev "tap,id=tn,ifname=tap0,queues=2,script=no,downscript=no,vhost=off"
        -device "virtio-net-pci,netdev=tn,addr=0x1a,mq=on,vectors=6,romfile=,$vp")
}

# add_zoo: one of each of what bulkhead is to know; tests/rig/zoo.sh has their addresses.
add_zoo() {
    local n
    for n in 3 4 5; do add_disk $n "addr=0x1$n,msix_qsize=2048,max_ioqpairs=64"; done
    add_disk 6 addr=0x16,cmb_size_mb=16
    add_usb
    add_shared 4G
    add_nvmevf
    for n in 4 5 6; do args+=(-device "bochs-display,vgamem=256M,addr=0x0$n"); done
    # Sixteen functions of two devices, which are two IOMMU groups.
    for n in 0 1 2 3 4 5 6 7; do
        add_disk "b$n" "addr=0x0b.$n,multifunction=on,max_ioqpairs=2,msix_qsize=3"
        add_disk "c$n" "addr=0x0c.$n,multifunction=on,max_ioqpairs=2,msix_qsize=3"
    done
}

# add_usb: a USB controller with a disk.
add_usb() {
    yes usb | head -c 4M >"$dir/diskusb.img"
    truncate -s 64M "$dir/diskusb.img"
    args+=(-drive "if=none,id=dusb,file=${dir//,/,,}/diskusb.img,format=raw"
        -device "qemu-xhci,id=xhci,addr=0x17" -device "usb-storage,bus=xhci.0,drive=dusb")
}

# add_shared [SIZE]: memory behind one BAR, in a file with holes.
add_shared() {
    args+=(-object "memory-backend-file,id=shm,share=on,size=${1:-1M},mem-path=${dir//,/,,}/diskbar.img"
        -device "ivshmem-plain,memdev=shm,addr=0x18")
}

# add_nvmevf: an NVMe that can have one virtual function with an admin queue and two more.
add_nvmevf() {
    truncate -s 64M "$dir/diskvf.img"
    args+=(-device "pcie-root-port,id=rp2,addr=0x1e,chassis=3" -device "nvme-subsys,id=subsys0"
        -device "nvme,id=pf,bus=rp2,serial=rigpf,subsys=subsys0,sriov_max_vfs=1,sriov_vq_flexible=3,sriov_vi_flexible=3"
        -drive "if=none,id=dvf,file=${dir//,/,,}/diskvf.img,format=raw" -device "nvme-ns,bus=pf,drive=dvf")
}

unshare_net() { if [ "$(id -u)" = 0 ]; then exec unshare -n "$@"; else exec unshare -Urn "$@"; fi; }
can_tap() { (unshare_net ip tuntap add tap0 mode tap multi_queue) >/dev/null 2>&1; }

# An emulated local APIC now and then loses a timer that was set for one shot, and
# the processor sleeps until something else wakes it; a periodic one goes on.
# A host so slow measures its TSC twice and gets two results; a KVM that is built in has the first,
# and would run its guests by the other in «catchup» mode, which loses their timers.
tick="nohz=off highres=off kvm.tsc_tolerance_ppm=100000"

# machine_args CASE: the QEMU options its machine needs; `pair` is two NVMe as
# functions of one device, which share an IOMMU group.
machine_args() {
    local intremap device n=0 kernel=$RIG_CACHE/kernel/bzImage initrd=host
    intremap=$(wish "$1" intremap on)
    if [ "$(wish "$1" boot stock)" = full ]; then kernel=$(full_kernel)/bzImage initrd=full; fi
    # shellcheck disable=SC2054
    args=(-M q35 -accel tcg,thread=multi -cpu EPYC,+svm,+npt -smp "$(wish "$1" cpus 3)"
        -m "$(wish "$1" mem 2G)" -display none -vga none -nodefaults -no-user-config -no-reboot
        -monitor none -chardev "file,id=console,path=${dir//,/,,}/console.log" -serial chardev:console
        -kernel "$kernel" -initrd "$RIG_BUILD/$initrd.cpio"
        -append "console=ttyS0 intel_iommu=on iommu=pt no_timer_check quiet loglevel=4 panic=-1 $tick $(wish "$1" append '')"
        -device "intel-iommu,intremap=$intremap,device-iotlb=off,aw-bits=48"
        -virtfs "local,path=/usr,mount_tag=usr,security_model=none,readonly=on,multidevs=remap"
        -virtfs "local,path=${RIG_CACHE//,/,,},mount_tag=cache,security_model=none,readonly=on,multidevs=remap"
        -virtfs "local,path=${dir//,/,,},mount_tag=work,security_model=none,multidevs=remap")
    for device in $(wish "$1" devices nvme | tr , ' '); do
        case $device in
        nvme) add_disk $n "addr=0x1$n" ;;
        pair) add_disk 8 addr=0x12.0,multifunction=on; add_disk 9 addr=0x12.1 ;;
        e1000) add_card e1000 0x1a; continue ;;
        e1000e) add_rom; add_card e1000e 0x1b "${dir//,/,,}/rom"; continue ;;
        vnet | vblk | vnetmq | old | igb | edu | shared | zoo | aer) "add_$device"; continue ;;
        *) die "cases/$1.sh asks for an unknown device «$device»" ;;
        esac
        n=$((n + 1))
    done
}
