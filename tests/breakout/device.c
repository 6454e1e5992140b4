/* SPDX-License-Identifier: Apache-2.0
 *
 * Attempts on devices, on DMA and on KVM by way of the descriptors the actor has. Each request goes
 * to every one of them, as a hijacked process would look for the one that answers.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <linux/vhost.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include "seccomp/policy.h"
#include "seccomp/vhost.h"
#include "tests/breakout/attempts.h"

enum {
	FDS = 128, PAGE = 4096, STORM = 100000, ANON_INODE_FS = 0x09041934,
	IOMMUFD_MAP = 0x3b85, VFIO_RESET_INFO = 0x3b70, /* _IO(';', 100 + n), younger headers */
	FREE_SLOT = 30000,
};

static _Alignas(PAGE) char own[PAGE];

/* The best any of them answered: through, or an errno that is not «not one of mine». ENOBUFS is
 * vhost-vdpa's word for that: it takes what it does not know for a queue's number. */
static long on_every_fd(unsigned long request, const void *arg)
{
	long best = -ENOTTY;

	for (int fd = 0; fd < FDS; fd++) {
		long r = RAW(SYS_ioctl, fd, request, arg);

		if (r >= 0)
			return THROUGH;
		if (r != -EBADF && r != -ENOTTY && r != -EINVAL && r != -ENOSYS &&
			r != -ENOBUFS)
			best = r;
	}
	return best;
}

long try_vfio_irqs(void)
{
	struct vfio_irq_set set = {.argsz = sizeof(set), .index = VFIO_PCI_MSIX_IRQ_INDEX,
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER};

	return on_every_fd(VFIO_DEVICE_SET_IRQS, &set);
}

long try_vfio_reset(void)
{
	return on_every_fd(VFIO_DEVICE_RESET, NULL);
}

/* A device of its own, from the group it is in. */
long try_group_device(void)
{
	long best = -ENOTTY;

	for (int fd = FD_FLOOR; fd < FDS; fd++) {
		long r = RAW(SYS_ioctl, fd, VFIO_GROUP_GET_DEVICE_FD, page->device);

		if (r >= 0) {
			RAW(SYS_close, r);
			return THROUGH;
		}
		if (r != -EBADF)
			best = r;
	}
	return best;
}

/* What the core keeps for KVM's list: the one character device that high (seccomp/policy.h); or -1. */
static int kept(void)
{
	struct stat st;

	for (int fd = FD_FLOOR; fd < FDS; fd++)
		if (RAW(SYS_fstat, fd, &st) == 0 && S_ISCHR(st.st_mode))
			return fd;
	return -1;
}

/* Of a device: its first region, at the file's position. */
long try_kept_read(void)
{
	return RAW(SYS_read, kept(), own, 4);
}

/* Its config space. */
long try_kept_pread(void)
{
	return RAW(SYS_pread64, kept(), own, 4, (uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40);
}

long try_kept_write(void)
{
	return RAW(SYS_write, kept(), own, 4);
}

long try_kept_lowered(void)
{
	long r = RAW(SYS_dup2, kept(), FD_FLOOR - 1);

	if (r >= 0)
		RAW(SYS_close, r);
	return r;
}

long try_map_dma(void)
{
	struct vfio_iommu_type1_dma_map map = {.argsz = sizeof(map), .vaddr = (uintptr_t)own,
		.iova = 1ull << 40, .size = PAGE,
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE};

	return on_every_fd(VFIO_IOMMU_MAP_DMA, &map);
}

/* struct iommu_ioas_map: a guessed id, its own memory. */
long try_ioas_map(void)
{
	struct {
		uint32_t size, flags, ioas, reserved;
		uint64_t user_va, length, iova;
	} map = {sizeof(map), 7, 1, 0, (uintptr_t)own, PAGE, 1ull << 40};

	return on_every_fd(IOMMUFD_MAP, &map);
}

long try_vhost_owner(void)
{
	return on_every_fd(VHOST_SET_OWNER, own);
}

long try_create_vm(void)
{
	return on_every_fd(KVM_CREATE_VM, own);
}

long try_create_device(void)
{
	struct kvm_create_device device = {.type = KVM_DEV_TYPE_VFIO,
		.flags = KVM_CREATE_DEVICE_TEST};

	return on_every_fd(KVM_CREATE_DEVICE, &device);
}

/* A memslot over the kernel: the guest would read the host. */
long try_slot_of_kernel(void)
{
	struct kvm_userspace_memory_region slot = {.slot = FREE_SLOT, .memory_size = PAGE,
		.guest_phys_addr = 1ull << 38, .userspace_addr = 0xffff888000000000ull};

	return on_every_fd(KVM_SET_USER_MEMORY_REGION, &slot) == THROUGH ? THROUGH : -EINVAL;
}

/* Low power, migration and so on hide behind this one. */
long try_device_feature(void)
{
	struct vfio_device_feature feature = {.argsz = sizeof(feature),
		.flags = VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET |
			VFIO_DEVICE_FEATURE_PCI_VF_TOKEN};

	return on_every_fd(VFIO_DEVICE_FEATURE, &feature);
}

/* Which other devices a bus reset would take along. */
long try_ioeventfd(void)
{
	struct vfio_device_ioeventfd ask = {.argsz = sizeof(ask), .flags = VFIO_DEVICE_IOEVENTFD_32, .fd = -1};

	return on_every_fd(VFIO_DEVICE_IOEVENTFD, &ask);
}

/* Every eventfd it has, as fast as it can, to the brim: interrupts the guest did not order. */
long try_interrupt_storm(void)
{
	static const uint64_t most = UINT64_MAX - 1, one = 1;
	unsigned signalled = 0;

	for (int fd = 5; fd < FDS; fd++) {
		struct statfs fs;

		if (RAW(SYS_fstatfs, fd, &fs) < 0 || fs.f_type != ANON_INODE_FS)
			continue;
		for (unsigned n = 0; n < STORM; n++)
			RAW(SYS_write, fd, &one, sizeof(one));
		RAW(SYS_write, fd, &most, sizeof(most));
		signalled++;
	}
	return signalled ? THROUGH : -ENOENT;
}

/* To whichever descriptor is the node: write(2) is how vhost takes them. */
static long iotlb(uint64_t iova, uint64_t uaddr)
{
	struct vhost_msg_v2 msg = {.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {.iova = iova, .size = PAGE, .uaddr = uaddr, .perm = VHOST_ACCESS_RW,
			.type = VHOST_IOTLB_UPDATE}};
	long best = -ENOTTY;
	uint8_t status;

	for (int fd = 5; fd < FDS; fd++) {
		long r = RAW(SYS_ioctl, fd, VHOST_VDPA_GET_STATUS, &status);

		if (r < 0)
			continue;
		r = RAW(SYS_write, fd, &msg, sizeof(msg));
		best = r >= 0 ? THROUGH : r;
	}
	return best;
}

long try_iotlb_own(void)
{
	return iotlb(1ull << 36, (uintptr_t)own);
}

long try_iotlb_kernel(void)
{
	return iotlb((1ull << 36) + PAGE, 0xffff888000000000ull);
}

long try_vhost_reset_owner(void)
{
	return on_every_fd(VHOST_RESET_OWNER, NULL);
}

long try_vhost_mem_table(void)
{
	struct vhost_memory none = {0};

	return on_every_fd(VHOST_SET_MEM_TABLE, &none);
}

long try_vhost_device_id(void)
{
	uint32_t id = 0;

	return on_every_fd(VHOST_VDPA_GET_DEVICE_ID, &id);
}
