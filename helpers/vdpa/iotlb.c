/* SPDX-License-Identifier: Apache-2.0
 *
 * Guest RAM for the device: mapped here from the memfd, shared, and made known to vhost by IOTLB
 * messages (struct vhost_msg_v2) with the guest's addresses as they are.
 *
 * vDPA helper. Once at set-up, which is when a host that cannot do it says so. With IOTLB_PERSIST
 * that is all; without, a reset of the device takes its side of the mappings while vhost keeps its
 * own, and a driver resets before each start (virtio 1.2 §3.1.1), so both are made anew at every
 * start. Every error of such a message is EFAULT: the context has to come from here.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "helpers/vdpa/vdpa.h"

/* Unmapping and mapping, within the deadline of RegionWrite (ipc/rules.c). */
enum { REMAP_MS_MAX = 1200 };

#define ULL(x) ((unsigned long long)(x))

static int send(struct vdpa *v, uint8_t type, uint64_t iova, uint64_t size, void *host)
{
	struct vhost_msg_v2 msg = {.type = VHOST_IOTLB_MSG_V2, .iotlb = {.iova = iova,
		.size = size, .uaddr = (uintptr_t)host, .type = type}};

	if (type == VHOST_IOTLB_UPDATE)
		msg.iotlb.perm = VHOST_ACCESS_RW;
	return write(v->node.n, &msg, sizeof(msg)) == (ssize_t)sizeof(msg) ? 0 : -errno;
}

/* The two things it mostly is, the surer first. */
static int explain(const struct vdpa *v, const struct guest_ram *ram, int code, struct err *err)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < v->n_ram; i++)
		all += v->ram[i].size;
	if (v->memlock < all)
		return err_set(err, -ENOMEM, BLAME_HOST,
			"guest RAM (%llu MiB) must be locked for its DMA, but RLIMIT_MEMLOCK is "
			"%llu MiB; raise it: `ulimit -l %llu`, systemd's LimitMEMLOCK=, or "
			"/etc/security/limits.conf", ULL(all >> 20), ULL(v->memlock >> 20),
			ULL(all >> 10));
	return err_set(err, code, BLAME_HOST,
		"guest RAM at 0x%llx (%llu MiB) cannot be mapped for its DMA: %s, which is all the "
		"kernel says. Likely it lies in more pieces than the IOTLB takes (2048 by default): "
		"give --memory hugepages=on, or boot the host with "
		"vhost_vdpa.max_iotlb_entries=%llu; or the host is out of memory", ULL(ram->gpa),
		ULL(ram->size >> 20), strerror(-code), ULL(all >> 12));
}

static int send_all(struct vdpa *v, uint8_t type, struct err *err)
{
	for (unsigned i = 0; i < v->n_ram; i++) {
		int r = send(v, type, v->ram[i].gpa, v->ram[i].size, v->host[i]);

		if (r < 0)
			return explain(v, &v->ram[i], r, err);
	}
	return 0;
}

/* One batch, which is one change of mappings to a device that takes them whole. `anew`: vhost has
 * entries already, and an update on top of one is an error. */
static int map_all(struct vdpa *v, bool anew, struct err *err)
{
	bool batch = BACKEND_HAS(v, IOTLB_BATCH);
	int r = batch ? send(v, VHOST_IOTLB_BATCH_BEGIN, 0, 0, NULL) : 0, end;

	if (r < 0)
		return err_set(err, r, BLAME_HOST, "the start of an IOTLB batch: %s",
			strerror(-r));
	if (anew)
		r = send_all(v, VHOST_IOTLB_INVALIDATE, err);
	if (r == 0)
		r = send_all(v, VHOST_IOTLB_UPDATE, err);
	end = batch ? send(v, VHOST_IOTLB_BATCH_END, 0, 0, NULL) : 0;
	if (r == 0 && end < 0)
		r = err_set(err, end, BLAME_HOST, "the end of an IOTLB batch: %s", strerror(-end));
	return r;
}

/* The device's DMA addresses are the guest's, so RAM must lie where it has any. */
static int check_range(struct vdpa *v, struct err *err)
{
	struct vhost_vdpa_iova_range range = {0};
	int r = VDPA_ASK(v, VHOST_VDPA_GET_IOVA_RANGE, &range, err);

	for (unsigned i = 0; i < v->n_ram && r == 0; i++)
		if (v->ram[i].gpa < range.first ||
			v->ram[i].gpa + (v->ram[i].size - 1) > range.last)
			r = err_set(err, -ERANGE, BLAME_HOST,
				"guest RAM at 0x%llx (%llu MiB) is outside what the device can reach, "
				"0x%llx-0x%llx; give the guest less memory", ULL(v->ram[i].gpa),
				ULL(v->ram[i].size >> 20), ULL(range.first), ULL(range.last));
	return r;
}

/* Without IOTLB_PERSIST a driver's start, which is one write to a register, maps all of RAM anew;
 * a guest whose devices cannot be started in the time such a write may take is not started. */
static int check_time(const struct vdpa *v, int64_t ms, struct err *err)
{
	if (BACKEND_HAS(v, IOTLB_PERSIST) || ms <= REMAP_MS_MAX)
		return 0;
	return err_set(err, -ETIME, BLAME_HOST,
		"mapping guest RAM for its DMA took %lld ms, and this device wants it mapped anew at "
		"each start of the driver, which may take %d ms; give --memory hugepages=on, less "
		"memory, or a host with Linux 6.7 (IOTLB_PERSIST)", (long long)ms, REMAP_MS_MAX);
}

int iotlb_setup(struct vdpa *v, int memfd, struct err *err)
{
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
	int r = check_range(v, err);
	int64_t began;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0)
		v->memlock = limit.rlim_cur;
	for (unsigned i = 0; i < v->n_ram && r == 0; i++) {
		v->host[i] = mmap(NULL, v->ram[i].size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd,
			(off_t)v->ram[i].offset);
		if (v->host[i] == MAP_FAILED)
			r = err_set(err, -errno, BLAME_HOST, "mapping guest RAM: %s",
				strerror(errno));
	}
	began = now_ms();
	if (r == 0)
		r = map_all(v, false, err);
	return r < 0 ? r : check_time(v, now_ms() - began, err);
}

int iotlb_refresh(struct vdpa *v, struct err *err)
{
	return BACKEND_HAS(v, IOTLB_PERSIST) ? 0 : map_all(v, true, err);
}

void *iotlb_guest(const void *ram, uint64_t gpa, uint64_t size)
{
	const struct vdpa *v = ram;

	for (unsigned i = 0; i < v->n_ram; i++) {
		uint64_t at = gpa - v->ram[i].gpa;

		if (at < v->ram[i].size && size <= v->ram[i].size - at)
			return (uint8_t *)v->host[i] + at;
	}
	return NULL;
}
