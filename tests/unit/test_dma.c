/* SPDX-License-Identifier: Apache-2.0
 *
 * Guest RAM mapped for DMA, both ways: in pieces, once however many devices there are; by iommufd
 * by file, and by address where the kernel says it has no such call (Linux 6.6 to 6.12), with nothing
 * left mapped here afterwards. ioctl(2) is a double.
 *
 * links: helpers/broker/dma.c helpers/broker/ram.c helpers/broker/iommufd.c helpers/broker/type1.c
 * links: helpers/broker/device.c helpers/retry.c
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "helpers/broker/broker.h"
#include "seccomp/iommufd.h"
#include "seccomp/layers.h"
#include "tests/unit/trace.h"

enum { IOMMUFD = 1000, NODE = 1001, CONTAINER = 1002, GROUP = 1003, IOAS = 7 };

static struct broker broker;
static struct err err;
static int no_file;         /* what IOMMU_IOAS_MAP_FILE fails with */
static uint64_t limit;      /* the last address the IOMMU translates */
static int no_bind;         /* what a bind with a token fails with */
static bool no_type1;       /* has the container */
static bool in_use;         /* and one without fails, too */
static unsigned busy;       /* so often a bind says EAGAIN first: the device's lock is taken */
static unsigned char *last; /* where the last piece was mapped by address */

/* The operator's limit, which the launcher has raised as far as it may. */
static struct rlimit lock;

int getrlimit(__rlimit_resource_t what, struct rlimit *ret)
{
	if (what != RLIMIT_MEMLOCK)
		return (int)syscall(SYS_prlimit64, 0, what, NULL, ret);
	*ret = lock;
	return 0;
}

int setrlimit(__rlimit_resource_t what, const struct rlimit *limits)
{
	if (what != RLIMIT_MEMLOCK)
		return (int)syscall(SYS_prlimit64, 0, what, limits, NULL);
	cr_assert_leq(limits->rlim_max, lock.rlim_max, "it may raise none");
	lock = *limits;
	return 0;
}

/* The page at `offset` of guest RAM says so. */
static void by_address(const char *how, uint64_t va, uint64_t size, uint64_t iova)
{
	last = (unsigned char *)(uintptr_t)va;
	traced("%s:%llx+%llx=%02x ", how, (unsigned long long)iova, (unsigned long long)size, *last);
}

static void ranges(const struct iommu_ioas_iova_ranges *ask)
{
	struct vfio_iova_range *range = (void *)(uintptr_t)ask->allowed_iovas;

	cr_assert_eq(ask->ioas_id, IOAS);
	*range = (struct vfio_iova_range){.end = limit};
}

static int map_file(const struct iommu_ioas_map_file *map)
{
	errno = no_file;
	if (no_file) {
		traced("no ");
		return -1;
	}
	cr_assert_eq(map->ioas_id, IOAS);
	cr_assert_eq(map->fd, broker.memfd.n);
	cr_assert_eq(map->flags, IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			IOMMU_IOAS_MAP_WRITEABLE);
	traced("file:%llx+%llx@%llx ", (unsigned long long)map->iova,
		(unsigned long long)map->length, (unsigned long long)map->start);
	return 0;
}

static int iommufd_ioctl(unsigned long request, void *arg)
{
	const struct iommu_ioas_map *map = arg;

	switch (request) {
	case IOMMU_IOAS_IOVA_RANGES:
		ranges(arg);
		((struct iommu_ioas_iova_ranges *)arg)->num_iovas = 1;
		return 0;
	case IOMMU_IOAS_MAP_FILE:
		return map_file(arg);
	case IOMMU_IOAS_MAP:
		cr_assert_eq(map->size, sizeof(*map));
		cr_assert_eq(map->ioas_id, IOAS);
		cr_assert_eq(map->flags, IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
				IOMMU_IOAS_MAP_WRITEABLE);
		by_address("address", map->user_va, map->length, map->iova);
		return 0;
	}
	cr_assert_fail("iommufd: request 0x%lx", request);
	return -1;
}

static int type1_ioctl(unsigned long request, void *arg)
{
	const struct vfio_iommu_type1_dma_map *map = arg;

	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return !no_type1;
	case VFIO_SET_IOMMU:
		return 0;
	case VFIO_IOMMU_GET_INFO:
		((struct vfio_iommu_type1_info *)arg)->flags = 0;
		return 0;
	case VFIO_IOMMU_MAP_DMA:
		by_address("type1", map->vaddr, map->size, map->iova);
		return 0;
	}
	cr_assert_fail("container: request 0x%lx", request);
	return -1;
}

static int bind_ioctl(const struct vfio_bind *bind)
{
	const uint8_t *token = (const void *)(uintptr_t)bind->token_uuid_ptr;

	if (busy && busy--) {
		errno = EAGAIN;
		return -1;
	}
	cr_assert(bind->iommufd == IOMMUFD && bind->flags == (token ? VFIO_BIND_TOKEN : 0));
	cr_assert_eq(bind->argsz, token ? 24 : 16);
	if (token)
		traced("bind:%02x..%02x ", token[0], token[15]);
	else
		traced("bind ");
	errno = token ? no_bind : EINVAL;
	return (token ? no_bind != 0 : in_use) ? -1 : 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fd == IOMMUFD)
		return iommufd_ioctl(request, arg);
	if (fd == CONTAINER)
		return type1_ioctl(request, arg);
	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		((struct vfio_group_status *)arg)->flags = VFIO_GROUP_FLAGS_VIABLE;
		break;
	case VFIO_GROUP_SET_CONTAINER: traced("group "); break;
	case VFIO_DEVICE_BIND_IOMMUFD: return bind_ioctl(arg);
	case VFIO_DEVICE_ATTACH_IOMMUFD_PT: traced("attach "); break;
	default: cr_assert_fail("descriptor %d: request 0x%lx", fd, request);
	}
	return 0;
}

/* 300 MiB of RAM at 0 and 2 MiB at 4 GiB; a mark where each piece begins. */
static void set_up(void)
{
	static const struct {
		unsigned at;
		unsigned char mark;
	} marks[] = {{0, 0x11}, {256 * MiB, 0x22}, {300 * MiB, 0x33}};

	limit = UINT64_MAX;
	lock = (struct rlimit){8 * MiB, RLIM_INFINITY};
	broker.iommufd.n = broker.container.n = -1;
	broker.ioas = IOAS;
	broker.memfd.n = memfd_create("ram", MFD_CLOEXEC);
	cr_assert_eq(ftruncate(broker.memfd.n, 302 * MiB), 0);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(pwrite(broker.memfd.n, &marks[i].mark, 1, marks[i].at), 1);
	broker.n_ram = 2;
	broker.ram[0] = (struct ram_region){.size = 300 * MiB};
	broker.ram[1] = (struct ram_region){.gpa = 4ull << 30, .size = 2 * MiB,
		.offset = 300 * MiB};
	broker.n_groups = 2;
	for (int i = 0; i < 2; i++) {
		broker.devices[i] = (struct device){.name = "dev", .group = i, .node = {NODE},
			.store = FD_NONE_INIT};
		broker.groups[i].fd.n = GROUP;
	}
}
TestSuite(dma, .init = set_up);

static int attach(unsigned i) { return dma_attach(&broker, &broker.devices[i], &err); }

static bool is_mapped(void *at)
{
	unsigned char there;

	return mincore((void *)((uintptr_t)at & ~4095ull), 4096, &there) == 0;
}

Test(dma, by_file)
{
	broker.iommufd.n = IOMMUFD;
	cr_assert_eq(attach(0), 0, "%s", err.msg);
	expect("bind attach file:0+10000000@0 file:10000000+2c00000@10000000 "
	       "file:100000000+200000@12c00000 ");
	cr_assert_eq(attach(1), 0, "%s", err.msg);
	expect("bind attach ");
}

Test(dma, by_address_before_linux_6_13)
{
	broker.iommufd.n = IOMMUFD;
	no_file = ENOTTY;
	cr_assert_eq(attach(0), 0, "%s", err.msg);
	expect("bind attach no address:0+10000000=11 address:10000000+2c00000=22 "
	       "address:100000000+200000=33 ");
	cr_expect_not(is_mapped(last));
	cr_assert_eq(attach(1), 0, "%s", err.msg);
	expect("bind attach ");
}

static void with_token(void)
{
	broker.iommufd.n = IOMMUFD;
	broker.devices[0].token = (struct vf_token){.given = true, .uuid = {[0] = 0xab, [15] = 0xcd}};
}

Test(dma, vf_token)
{
	with_token();
	cr_assert_eq(attach(0), 0, "%s", err.msg);
	expect("bind:ab..cd attach file:0+10000000@0 file:10000000+2c00000@10000000 "
	       "file:100000000+200000@12c00000 ");
}

Test(dma, vf_token_is_another)
{
	with_token();
	no_bind = EACCES;
	cr_assert_eq(attach(0), -EACCES);
	cr_expect_not_null(strstr(err.msg, "another VF token"), "%s", err.msg);
	expect("bind:ab..cd ");
}

/* A kernel without, one with its first mistake, and a device that takes none. */
Test(dma, no_vf_token_by_iommufd)
{
	with_token();
	no_bind = EINVAL;
	cr_assert_eq(attach(0), -ENOTSUP);
	cr_expect_not_null(strstr(err.msg, "--platform iommufd=off"), "%s", err.msg);
	expect("bind:ab..cd bind ");
	no_bind = E2BIG;
	cr_assert_eq(attach(0), -ENOTSUP);
	expect("bind:ab..cd ");
	no_bind = EINVAL;
	in_use = true;
	cr_assert_eq(attach(0), -EBUSY);
	cr_expect(strncmp(err.msg, "dev is in use: VFIO_DEVICE_BIND_IOMMUFD: ", 40) == 0, "%s", err.msg);
	expect("bind:ab..cd bind ");
}

/* A bind opens the device, which resets it, and the kernel does not wait for its lock. */
Test(dma, a_device_that_is_busy_for_a_moment)
{
	broker.iommufd.n = IOMMUFD;
	busy = 5;
	cr_assert_eq(attach(0), 0, "%s", err.msg);
	cr_expect_eq(busy, 0);
}

/* Only a kernel that does not know the call gets another. */
Test(dma, no_memory)
{
	broker.iommufd.n = IOMMUFD;
	no_file = ENOMEM;
	cr_assert_eq(attach(0), -ENOMEM);
	cr_expect_not_null(strstr(err.msg, "RLIMIT_MEMLOCK"));
	/* By iommufd the limit is the user's, and not this process's. */
	cr_expect_not_null(strstr(err.msg, "together with that of every other VM of this user"));
	expect("bind attach no ");
	cr_expect_not(broker.mapped);
}

/* The same, told before anything is claimed. */
Test(dma, limit_too_low)
{
	lock = (struct rlimit){8 * MiB, 8 * MiB};
	broker.container.n = CONTAINER;
	cr_assert_eq(attach(0), -ENOMEM);
	expect("");
	cr_expect(strstr(err.msg, "(302 MiB)") && strstr(err.msg, "is 8 MiB") &&
		!strstr(err.msg, "by user"), "%s", err.msg);
	broker.iommufd.n = IOMMUFD;
	cr_assert_eq(attach(0), -ENOMEM);
	expect("");
	cr_expect(strstr(err.msg, "iommufd counts by user") && strstr(err.msg, "ulimit -l"), "%s",
		err.msg);
}

/* Up to the hard limit, which is what DMA is counted against. */
Test(dma, the_limit_is_raised_as_far_as_it_goes)
{
	lock = (struct rlimit){8 * MiB, 302 * MiB};
	broker.iommufd.n = IOMMUFD;
	cr_assert_eq(attach(0), 0, "%s", err.msg);
	cr_expect_eq(lock.rlim_cur, 302 * MiB);
}

/* What the kernel says no to is told in the device's name, with what it may be. */
Test(dma, refusals)
{
	broker.iommufd.n = IOMMUFD;
	in_use = true;
	cr_assert_eq(attach(0), -EBUSY, "EINVAL: open by its cdev");
	cr_expect(strstr(err.msg, "dev is in use") && strstr(err.msg, "`bulkhead devices`"), "%s", err.msg);
	cr_assert_eq(device_refused(&broker.devices[0], -EPERM, "X", &err), -EPERM);
	cr_expect(strstr(err.msg, "dev: X: Operation not permitted; `dmesg") &&
		!strstr(err.msg, "remapping"), "%s", err.msg);
	layers_allow_degraded(true);
	cr_assert_eq(device_refused(&broker.devices[0], -EPERM, "X", &err), -EPERM);
	cr_expect(strstr(err.msg, "allow_unsafe_interrupts=1"), "%s", err.msg);
}

Test(dma, type1)
{
	broker.container.n = CONTAINER;
	cr_assert_eq(attach(0), 0, "%s", err.msg);
	expect("group type1:0+10000000=11 type1:10000000+2c00000=22 type1:100000000+200000=33 ");
	cr_expect_not(is_mapped(last));
	cr_assert_eq(attach(1), 0, "%s", err.msg);
	expect("group ");
}

Test(dma, a_container_without_type1)
{
	broker.container.n = CONTAINER;
	no_type1 = true;
	cr_assert_eq(attach(0), -ENOTSUP);
	cr_expect_not_null(strstr(err.msg, "`modprobe vfio_iommu_type1`"), "%s", err.msg);
	expect("");
}

Test(dma, out_of_reach)
{
	broker.iommufd.n = IOMMUFD;
	limit = (4ull << 30) + MiB;
	cr_assert_eq(attach(0), -ERANGE);
	cr_expect_not_null(strstr(err.msg, "0x100000000 (2 MiB)"), "%s", err.msg);
	expect("bind attach ");
}
