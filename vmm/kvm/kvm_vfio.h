/* SPDX-License-Identifier: Apache-2.0
 *
 * KVM's list of VFIO files (KVM_DEV_TYPE_VFIO): what it asks whether a guest's DMA may not snoop.
 *
 * Core process, main thread. A file is a device's group by type1, the device itself by iommufd. KVM
 * keeps each open, and with it the device busy, until it is taken out again, for which it wants a
 * descriptor of the very same file. Those descriptors are worth nothing else in a sealed core: no
 * policy of it has a VFIO request, and its rows of read and write end below FD_FLOOR (seccomp/core.c).
 */
#pragma once

#include <stdint.h>

#include "ipc/err.h"
#include "ipc/fd.h"

enum { KVM_VFIO_FILES = 32 };

struct kvm_vfio {
	struct fd dev; /* made at the first file */
	struct {
		struct fd fd;
		uint64_t node;  /* of the character device */
		unsigned users; /* devices of one group come with one group; 0: the place is free */
	} files[KVM_VFIO_FILES];
};

void kvm_vfio_init(struct kvm_vfio *list);
/* Takes file over. Returns its place in the list, or -errno. Set-up. */
int kvm_vfio_add(struct kvm_vfio *list, int vm_fd, struct fd file, struct err *err);
/* Its last user's leave is KVM's, too. place -1: nothing. */
void kvm_vfio_del(struct kvm_vfio *list, int place);
