/* SPDX-License-Identifier: Apache-2.0
 *
 * Putting a VFIO file on KVM's list and taking it off (virt/kvm/vfio.c). Core process, main thread.
 *
 * The device descriptor stays open: with its end KVM forgets the whole list (since Linux 6.3), and
 * with it that the caches of guests whose DMA does not snoop have to be theirs to flush.
 */
#include "vmm/kvm/kvm_vfio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/log.h"
#include "seccomp/policy.h"

#ifndef KVM_DEV_VFIO_FILE /* linux/kvm.h since 6.6, the same numbers as GROUP */
#define KVM_DEV_VFIO_FILE     KVM_DEV_VFIO_GROUP
#define KVM_DEV_VFIO_FILE_ADD KVM_DEV_VFIO_GROUP_ADD
#define KVM_DEV_VFIO_FILE_DEL KVM_DEV_VFIO_GROUP_DEL
#endif

void kvm_vfio_init(struct kvm_vfio *list)
{
	*list = (struct kvm_vfio){.dev = FD_NONE_INIT};
	for (unsigned i = 0; i < KVM_VFIO_FILES; i++)
		list->files[i].fd = FD_NONE_INIT;
}

static int set_attr(const struct kvm_vfio *list, uint64_t attr, int fd)
{
	int32_t file = fd;
	struct kvm_device_attr args = {.group = KVM_DEV_VFIO_FILE, .attr = attr,
		.addr = (uintptr_t)&file};

	return ioctl(list->dev.n, KVM_SET_DEVICE_ATTR, &args) < 0 ? -errno : 0;
}

static int make_device(struct kvm_vfio *list, int vm_fd, struct err *err)
{
	struct kvm_create_device create = {.type = KVM_DEV_TYPE_VFIO};

	if (list->dev.n >= 0)
		return 0;
	if (ioctl(vm_fd, KVM_CREATE_DEVICE, &create) < 0)
		return err_set(err, -errno, BLAME_HOST, "/dev/kvm: KVM_CREATE_DEVICE (VFIO): %s",
			strerror(errno));
	list->dev.n = (int)create.fd;
	return 0;
}

/* Where it is, or else the first free place, or -1. */
static int find(const struct kvm_vfio *list, uint64_t node)
{
	int place = -1;

	for (int i = KVM_VFIO_FILES - 1; i >= 0; i--) {
		if (list->files[i].users && list->files[i].node == node)
			return i;
		if (!list->files[i].users)
			place = i;
	}
	return place;
}

int kvm_vfio_add(struct kvm_vfio *list, int vm_fd, struct fd file, struct err *err)
{
	fd_owned owned = file;
	struct stat st;
	int place, r;

	/* Not fstat(3): that is newfstatat(2) in glibc 2.33-2.38, which takes paths. */
	if (syscall(SYS_fstat, owned.n, &st) < 0)
		return err_set(err, -errno, BLAME_HOST, "VFIO file: %s", strerror(errno));
	place = find(list, st.st_rdev);
	if (place < 0)
		return err_set(err, -ENOSPC, BLAME_BUG, "more than %d VFIO files", KVM_VFIO_FILES);
	if (list->files[place].users++)
		return place;
	r = make_device(list, vm_fd, err);
	if (r == 0) {
		list->files[place].node = st.st_rdev;
		list->files[place].fd.n = fcntl(owned.n, F_DUPFD_CLOEXEC, FD_FLOOR);
		r = list->files[place].fd.n < 0 ? -errno
			: set_attr(list, KVM_DEV_VFIO_FILE_ADD, list->files[place].fd.n);
		if (r < 0)
			err_set(err, r, BLAME_HOST, "/dev/kvm: KVM_DEV_VFIO_FILE_ADD: %s",
				strerror(-r));
	}
	if (r == 0)
		return place;
	list->files[place].users = 0;
	fd_close(&list->files[place].fd);
	return r;
}

void kvm_vfio_del(struct kvm_vfio *list, int place)
{
	int r;

	if (place < 0 || --list->files[place].users)
		return;
	r = set_attr(list, KVM_DEV_VFIO_FILE_DEL, list->files[place].fd.n);
	if (r < 0)
		log_warn("/dev/kvm: KVM_DEV_VFIO_FILE_DEL: %s; KVM keeps a device open until the VM ends",
			strerror(-r));
	fd_close(&list->files[place].fd);
}
