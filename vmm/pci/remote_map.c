/* SPDX-License-Identifier: Apache-2.0
 *
 * A remote function's BARs in the core's address space, for memslots.
 *
 * Core process, main thread, the function's lock held. Made once, while the device descriptor is at
 * hand, and kept until the device is given back; the core itself never reads or writes through them (a
 * device that is reset or asleep answers with SIGBUS).
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/pci/remote.h"

/* Maps one range so that host and guest addresses agree modulo the largest page that fits: only
 * then can KVM and the kernel use 2 MiB and 1 GiB pages for it. */
static void *map_range(int fd, uint64_t fd_offset, uint64_t bar_offset, uint64_t size)
{
	uint64_t align = size >= GiB ? GiB : size >= 2 * MiB ? 2 * MiB : PAGE_SIZE;
	size_t room = size + 2 * align;
	uint8_t *hole, *at;
	void *host;

	hole = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (hole == MAP_FAILED)
		return MAP_FAILED;
	at = hole + align - ((uintptr_t)hole & (align - 1)) + (bar_offset & (align - 1));
	host = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		(off_t)(fd_offset + bar_offset));
	if (host == MAP_FAILED) {
		int saved = errno;

		munmap(hole, room);
		errno = saved;
		return MAP_FAILED;
	}
	munmap(hole, (size_t)(at - hole));
	munmap(at + size, (size_t)(hole + room - (at + size)));
	/* A child would keep the device open. */
	madvise(host, size, MADV_DONTFORK);
	return host;
}

/* Doorbell pages, one by one and write-only, as vhost-vdpa has it (vhost_vdpa_mmap), side by side for
 * one memslot. A guest that reads one before any write gets EFAULT: remote_bar_fault. */
static void *map_doorbells(int fd, uint64_t size)
{
	uint8_t *at = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	for (uint64_t page = 0; at != MAP_FAILED && page < size; page += PAGE_SIZE) {
		if (mmap(at + page, PAGE_SIZE, PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			    (off_t)page) == MAP_FAILED) {
			int saved = errno;

			munmap(at, size);
			errno = saved;
			return MAP_FAILED;
		}
	}
	if (at != MAP_FAILED)
		madvise(at, size, MADV_DONTFORK);
	return at;
}

/* EBUSY is the host's own: somebody else of it holds the BAR (vfio_pci_core_mmap wants it whole). */
static int cannot_map(const struct remote *fn, unsigned bar, uint64_t offset, int code,
	struct err *err)
{
	if (code == -EBUSY)
		return err_set(err, code, BLAME_HOST,
			"%s: BAR %u is held by something else on the host; /proc/iomem names it, "
			"below the device: that has to let go first", fn->peer.name, bar);
	return err_set(err, code, BLAME_PEER, "%s: BAR %u cannot be mapped at 0x%llx: %s",
		fn->peer.name, bar, (unsigned long long)offset, strerror(-code));
}

int bars_map_device(struct remote *fn, int device_fd, struct err *err)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct region_desc *d = &fn->desc.regions[i];

		for (unsigned k = 0; k < d->n_ranges; k++) {
			const struct region_range *range = &d->ranges[k];
			void *host = MAP_FAILED;

			errno = EBADF; /* mappable, it says, and sends nothing to map from */
			if (device_fd >= 0)
				host = d->doorbell_pages
					? map_doorbells(device_fd, range->size)
					: map_range(device_fd, d->fd_offset, range->offset,
						range->size);
			if (host == MAP_FAILED)
				return cannot_map(fn, i, range->offset, -errno, err);
			fn->bars[i].host[k] = host;
		}
	}
	return 0;
}

void bars_unmap_device(struct remote *fn)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		for (unsigned k = 0; k < REGION_RANGES; k++) {
			if (fn->bars[i].host[k])
				munmap(fn->bars[i].host[k], fn->desc.regions[i].ranges[k].size);
			fn->bars[i].host[k] = NULL;
		}
	}
}
