/* SPDX-License-Identifier: Apache-2.0
 *
 * BARs mapped for the DMA of other devices, and taken away again. ioctl(2) is a double; the device's
 * descriptor is a memfd, of which BAR 2 is all from its second MiB on.
 *
 * links: helpers/broker/bar_dma.c helpers/broker/type1.c helpers/broker/ram.c helpers/broker/device.c
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "helpers/broker/broker.h"
#include "tests/unit/trace.h"

enum { CONTAINER = 1002, BAR = 2, BAR_SIZE = 1 << 20 };

static struct broker broker;
static struct device device;
static struct err err;
static uint32_t region_flags;
static int refusal; /* what VFIO_IOMMU_MAP_DMA fails with */

static int container_ioctl(unsigned long request, void *arg)
{
	const struct vfio_iommu_type1_dma_map *map = arg;
	const struct vfio_iommu_type1_dma_unmap *unmap = arg;

	if (request == VFIO_IOMMU_UNMAP_DMA) {
		traced("unmap:%llx+%llx ", (unsigned long long)unmap->iova,
			(unsigned long long)unmap->size);
		return 0;
	}
	cr_assert_eq(request, VFIO_IOMMU_MAP_DMA);
	cr_assert_eq(map->flags, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE);
	traced("map:%llx+%llx=%02x ", (unsigned long long)map->iova, (unsigned long long)map->size,
		*(const unsigned char *)(uintptr_t)map->vaddr);
	errno = refusal;
	return refusal ? -1 : 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	struct vfio_region_info *info;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fd == CONTAINER)
		return container_ioctl(request, arg);
	cr_assert_eq(fd, device.store.n);
	cr_assert_eq(request, VFIO_DEVICE_GET_REGION_INFO);
	info = arg;
	info->flags = region_flags;
	info->offset = MiB;
	info->size = info->index == BAR ? BAR_SIZE : 0;
	return 0;
}

/* A mark at 64 KiB of the BAR. */
static void set_up(void)
{
	const unsigned char mark = 0x5c;

	broker.iommufd.n = -1;
	broker.container.n = CONTAINER;
	device.store.n = memfd_create("device", MFD_CLOEXEC);
	cr_assert_eq(ftruncate(device.store.n, 2 * MiB), 0);
	cr_assert_eq(pwrite(device.store.n, &mark, 1, MiB + 0x10000), 1);
	region_flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
		VFIO_REGION_INFO_FLAG_MMAP;
}
TestSuite(bar_dma, .init = set_up);

static int map(unsigned bar, uint64_t offset, uint64_t size, uint64_t gpa)
{
	Bulkhead__MapBar ask = BULKHEAD__MAP_BAR__INIT;

	ask.bar = bar;
	ask.offset = offset;
	ask.size = size;
	ask.gpa = gpa;
	return bar_dma_map(&broker, &device, &ask, &err);
}

Test(bar_dma, is_mapped_where_the_core_says_and_goes_again)
{
	cr_assert_eq(map(BAR, 0x10000, 0x20000, 0xd0010000), 0, "%s", err.msg);
	expect("map:d0010000+20000=5c ");
	cr_assert_eq(map(BAR, 0, 0x1000, 0xd0000000), 0, "%s", err.msg);
	expect("map:d0000000+1000=00 ");
	bar_dma_unmap(&broker, &device);
	expect("unmap:d0000000+1000 unmap:d0010000+20000 ");
	bar_dma_unmap(&broker, &device);
	expect("");
}

/* What the core says is checked before it reaches the kernel. */
Test(bar_dma, nonsense_is_a_breach)
{
	static const struct {
		unsigned bar;
		uint64_t offset, size, gpa;
	} bad[] = {{6, 0, 0x1000, 0xd0000000}, {UINT32_MAX, 0, 0x1000, 0xd0000000},
		{BAR, 0, 0, 0xd0000000}, {BAR, 0x800, 0x1000, 0xd0000000},
		{BAR, 0, 0x1800, 0xd0000000}, {BAR, 0, 0x1000, 0xd0000800},
		{BAR, UINT64_MAX - 0xfff, 0x1000, 0xd0000000},
		{BAR, 0, 0x2000, UINT64_MAX - 0xfff}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(map(bad[i].bar, bad[i].offset, bad[i].size, bad[i].gpa), -EBADMSG, "%zu",
			i);
	expect("");
	for (unsigned i = 0; i < BAR_MAPS_MAX; i++)
		cr_assert_eq(map(BAR, 0, 0x1000, 0xd0000000), 0, "%s", err.msg);
	cr_expect_eq(map(BAR, 0, 0x1000, 0xd0000000), -EBADMSG);
}

/* What lies outside the BAR, or is not to be mapped, never reaches the container. */
Test(bar_dma, only_of_the_bar)
{
	cr_expect_eq(map(BAR, BAR_SIZE - 0x1000, 0x2000, 0xd0000000), -ERANGE);
	cr_expect_eq(map(0, 0, 0x1000, 0xd0000000), -ERANGE);
	region_flags &= ~(uint32_t)VFIO_REGION_INFO_FLAG_MMAP;
	cr_expect_eq(map(BAR, 0, 0x1000, 0xd0000000), -ERANGE);
	expect("");
	bar_dma_unmap(&broker, &device);
	expect("");
}

/* RAM or another BAR is there: the kernel says so, and there is nothing to take away. */
Test(bar_dma, a_refusal_says_where)
{
	refusal = EEXIST;
	cr_expect_eq(map(BAR, 0, 0x1000, 0xd0000000), -EEXIST);
	cr_expect_not_null(strstr(err.msg, "0xd0000000 (4 KiB): File exists"), "%s", err.msg);
	expect("map:d0000000+1000=00 ");
	bar_dma_unmap(&broker, &device);
	expect("");
}

Test(bar_dma, by_iommufd_not)
{
	broker.iommufd.n = 1000;
	cr_expect_eq(map(BAR, 0, 0x1000, 0xd0000000), -EOPNOTSUPP);
	cr_expect_not_null(strstr(err.msg, "iommufd=off"), "%s", err.msg);
	expect("");
}
