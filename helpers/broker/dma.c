/* SPDX-License-Identifier: Apache-2.0
 *
 * The VM's DMA authority: devices claimed, and guest RAM put where every one of them finds it.
 *
 * Broker process, at Attach. One address space a VM, so RAM is pinned and mapped once
 * however many devices there are: at the first, whose reserved regions are known by then. It goes
 * piece by piece: pinning hundreds of GiB takes long, and the operator is told how far it is.
 */
#include <sys/vfs.h>

#include "helpers/broker/broker.h"

enum { SAY_MS = 2000 };

static const uint64_t PIECE = 256ull << 20;

static bool by_iommufd(const struct broker *broker)
{
	return broker->iommufd.n >= 0;
}

/* No piece is smaller than a page of the file, or crosses a multiple of its size: the IOMMU gets
 * pages as large as they are. */
static uint64_t piece_size(const struct broker *broker)
{
	struct statfs fs;

	if (fstatfs(broker->memfd.n, &fs) == 0 && (uint64_t)fs.f_bsize > PIECE)
		return (uint64_t)fs.f_bsize;
	return PIECE;
}

static int map_ram(struct broker *broker, struct err *err)
{
	const int64_t began = now_ms();
	const uint64_t most = piece_size(broker);
	const uint64_t total = ram_total(broker);
	uint64_t done = 0;
	int64_t said = began;
	double s;

	for (unsigned i = 0; i < broker->n_ram; i++) {
		struct ram_region left = broker->ram[i];

		while (left.size) {
			struct ram_region piece = left;
			uint64_t room = most - left.gpa % most;
			int r;

			piece.size = left.size < room ? left.size : room;
			r = by_iommufd(broker) ? iommufd_map(broker, &piece)
					       : type1_map(broker, &piece);
			if (r < 0)
				return ram_cannot_map(broker, &piece, r, err);
			left.gpa += piece.size;
			left.offset += piece.size;
			left.size -= piece.size;
			done += piece.size;
			if (now_ms() - said < SAY_MS)
				continue;
			said = now_ms();
			log_line(LOG_SAY, "%llu of %llu MiB of guest RAM mapped for DMA, %.1f s",
				(unsigned long long)done >> 20, (unsigned long long)total >> 20,
				(double)(said - began) / 1000);
		}
	}
	s = (double)(now_ms() - began) / 1000;
	log_info("guest RAM mapped for DMA: %llu MiB in %.2f s, %.3f s per GiB",
		(unsigned long long)total >> 20, s, s * (double)(1 << 30) / (double)total);
	return 0;
}

int dma_attach(struct broker *broker, const struct device *device, struct err *err)
{
	int r = broker->mapped ? 0 : ram_allow_lock(broker, err);

	if (r == 0)
		r = by_iommufd(broker) ? iommufd_attach(broker, device, err)
				       : type1_attach(broker, device, err);
	if (r < 0 || broker->mapped)
		return r;
	r = by_iommufd(broker) ? iommufd_check_ranges(broker, err)
			       : type1_check_ranges(broker, err);
	if (r == 0)
		r = map_ram(broker, err);
	broker->mapped = r == 0;
	return r;
}

void dma_let_go(const struct broker *broker, const struct device *device)
{
	if (by_iommufd(broker) && device->group >= 0)
		iommufd_let_go(device);
}

/* By iommufd nothing is left to do: KVM has the devices open until the core's end, and the last of
 * them takes the address space along. */
void dma_release(struct broker *broker)
{
	if (!by_iommufd(broker))
		type1_release(broker);
	fd_close(&broker->iommufd);
	broker->mapped = false;
}
