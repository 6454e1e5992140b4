/* SPDX-License-Identifier: Apache-2.0
 *
 * Guest RAM, as whoever maps it for DMA needs it.
 *
 * Broker process, before it is sealed. It never keeps guest RAM mapped.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "helpers/broker/broker.h"

uint64_t ram_total(const struct broker *broker)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < broker->n_ram; i++)
		total += broker->ram[i].size;
	return total;
}

int ram_check_ranges(const struct broker *broker, const struct vfio_iova_range *ranges,
	unsigned n_ranges, struct err *err)
{
	for (unsigned i = 0; i < broker->n_ram; i++) {
		const struct ram_region *ram = &broker->ram[i];
		bool inside = false;

		for (unsigned j = 0; j < n_ranges; j++)
			inside |= ram->gpa >= ranges[j].start &&
				ram->gpa + ram->size - 1 <= ranges[j].end;
		if (!inside)
			return err_set(err, -ERANGE, BLAME_HOST,
				"guest RAM at 0x%llx (%llu MiB) is outside what this host's IOMMU "
				"can translate; give the guest less memory",
				(unsigned long long)ram->gpa,
				(unsigned long long)ram->size >> 20);
	}
	return 0;
}

/* Pinning would fault each page in alone. The core has made them all resident, so reading maps them
 * by sixteen at once (fault_around_bytes), and memory that is shared and keeps no track of what is dirty
 * is writable then as well. It is advice: a kernel before Linux 5.14 does not know it. */
void *ram_map_here(const struct broker *broker, const struct ram_region *ram)
{
	void *at = mmap(NULL, ram->size, PROT_READ | PROT_WRITE, MAP_SHARED, broker->memfd.n,
		(off_t)ram->offset);

	if (at == MAP_FAILED)
		return NULL;
	(void)madvise(at, ram->size, MADV_POPULATE_READ);
	return at;
}

/* What the kernel holds against RLIMIT_MEMLOCK: type1 this process's (vfio_lock_acct), iommufd all
 * that its user has pinned (update_unpinned). */
static const char *counted(const struct broker *broker)
{
	return broker->iommufd.n >= 0 ? ", together with that of every other VM of this user, as "
		"iommufd counts by user" : "";
}

int ram_allow_lock(const struct broker *broker, struct err *err)
{
	const uint64_t ram = ram_total(broker);
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return err_set(err, -errno, BLAME_HOST, "getrlimit: %s", strerror(errno));
	if (limit.rlim_max >= ram) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0)
			return 0;
	}
	return err_set(err, -ENOMEM, BLAME_HOST,
		"guest RAM (%llu MiB) must be locked for DMA%s, but RLIMIT_MEMLOCK is %llu MiB; "
		"raise it: `ulimit -l %llu`, systemd's LimitMEMLOCK=, or /etc/security/limits.conf",
		(unsigned long long)ram >> 20, counted(broker),
		(unsigned long long)limit.rlim_max >> 20, (unsigned long long)ram >> 10);
}

int ram_cannot_map(const struct broker *broker, const struct ram_region *ram, int code,
	struct err *err)
{
	if (code == -ENOMEM)
		return err_set(err, code, BLAME_HOST,
			"guest RAM cannot be locked for DMA: out of memory, or RLIMIT_MEMLOCK; "
			"it has to cover the guest's memory%s (`ulimit -l`)", counted(broker));
	return err_set(err, code, BLAME_HOST, "guest RAM at 0x%llx cannot be mapped for DMA: %s",
		(unsigned long long)ram->gpa, strerror(-code));
}
