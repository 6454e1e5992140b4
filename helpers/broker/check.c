/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands in the way of passing a device through, found out before anything is changed:
 * sysfs (Documentation/ABI/testing/sysfs-bus-pci, sysfs-kernel-iommu_groups) and /dev/vfio.
 *
 * Broker process, at Start. Each refusal names the device, the cause and the next step.
 */
#include <cap-ng.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helpers/broker/broker.h"

#define SYS_PCI "/sys/bus/pci/devices"

/* The last component of what a link in sysfs points to. 0 or -errno. */
static int link_name(const char *dir, const char *link, char *ret, size_t size)
{
	char path[PATH_MAX + 16], target[PATH_MAX];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, link);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	name = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
	if (strlen(name) >= size)
		return -ENAMETOOLONG;
	memcpy(ret, name, strlen(name) + 1);
	return 0;
}

/* Fills device->name: 0000:00:03.0. */
static int check_path(struct device *device, struct err *err)
{
	char real[PATH_MAX], subsystem[32];
	const char *path = device->path ? device->path : "";
	unsigned domain, bus, slot, function;
	int end = 0;

	if (!realpath(path, real))
		return err_set(err, -errno, BLAME_HOST,
			"--device path=%s: %s; `bulkhead devices` lists those of this host", path,
			errno == ENOENT ? "there is no such device" : strerror(errno));
	if (link_name(real, "subsystem", subsystem, sizeof(subsystem)) < 0 ||
		strcmp(subsystem, "pci") != 0 ||
		sscanf(strrchr(real, '/'), "/%x:%x:%x.%x%n", &domain, &bus, &slot, &function,
			&end) != 4 || strlen(strrchr(real, '/')) != (size_t)end)
		return err_set(err, -EINVAL, BLAME_HOST,
			"--device path=%s is not a PCI device; give it as %s/DDDD:BB:DD.F", path,
			SYS_PCI);
	snprintf(device->name, sizeof(device->name), "%04x:%02x:%02x.%x", domain, bus, slot,
		function);
	return 0;
}

static int check_driver(const struct device *device, struct err *err)
{
	char dir[PATH_MAX], driver[64];
	int r;

	snprintf(dir, sizeof(dir), SYS_PCI "/%s", device->name);
	r = link_name(dir, "driver", driver, sizeof(driver));
	if (r == 0 && strcmp(driver, "vfio-pci") == 0)
		return 0;
	if (r == 0)
		return err_set(err, -EBUSY, BLAME_HOST,
			"%s is bound to %s; bind it to vfio-pci: `bulkhead bind %s`",
			device->name, driver, device->name);
	return err_set(err, -ENODEV, BLAME_HOST,
		"%s has no driver; bind it to vfio-pci: `bulkhead bind %s`",
		device->name, device->name);
}

/* Bridges are the IOMMU's own business (PCI header type 1 or 2). */
static bool is_bridge(const char *dir)
{
	char path[PATH_MAX + 16];
	uint8_t type = 0;
	fd_owned fd = FD_NONE_INIT;

	snprintf(path, sizeof(path), "%s/config", dir);
	fd.n = open(path, O_RDONLY | O_CLOEXEC);
	return fd.n >= 0 && pread(fd.n, &type, 1, 0x0e) == 1 && (type & 0x7f) != 0;
}

/* The others of the group share the device's IOMMU context: no host driver may be at work there. */
static int check_group_members(const struct device *device, int number, struct err *err)
{
	char path[PATH_MAX], dir[PATH_MAX], driver[64], list[200] = "", first[32] = "";
	struct dirent *entry;
	size_t used = 0;
	DIR *members;

	snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%d/devices", number);
	members = opendir(path);
	if (!members)
		return err_set(err, -errno, BLAME_HOST, "%s: %s", path, strerror(errno));
	while ((entry = readdir(members))) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, device->name) == 0)
			continue;
		snprintf(dir, sizeof(dir), "%.300s/%.255s", path, entry->d_name);
		if (link_name(dir, "driver", driver, sizeof(driver)) < 0 ||
			strcmp(driver, "vfio-pci") == 0 || strcmp(driver, "pci-stub") == 0 ||
			is_bridge(dir))
			continue;
		if (!used)
			snprintf(first, sizeof(first), "%.31s", entry->d_name);
		if (used < sizeof(list))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s (%s)",
				used ? ", " : "", entry->d_name, driver);
	}
	closedir(members);
	if (!used)
		return 0;
	return err_set(err, -EBUSY, BLAME_HOST,
		"%s shares IOMMU group %d with devices the host still uses: %s; `bulkhead bind "
		"%s` too, or move the card to another slot", device->name, number, list, first);
}

int explain_no_access(const struct device *device, const char *path, struct err *err)
{
	int code = -errno;
	struct stat st;

	if (code == -EBUSY)
		return err_set(err, code, BLAME_HOST,
			"%s is in use: another process has its IOMMU group open (`fuser -v %s` names "
			"it)", device->name, path);
	if (code == -ENOENT)
		return err_set(err, code, BLAME_HOST,
			"%s: %s is not there; is vfio-pci loaded (`modprobe vfio-pci`), and /dev the "
			"host's?", device->name, path);
	if (code != -EACCES || stat(path, &st) < 0)
		return err_set(err, code, BLAME_HOST, "%s: %s: %s", device->name, path,
			strerror(-code));
	return err_set(err, code, BLAME_HOST,
		"%s: no right to open %s, which belongs to uid %u, mode %04o; run as root, or give "
		"it to your user: `chown $USER %s`, for good by a udev rule", device->name, path,
		st.st_uid, st.st_mode & 07777, path);
}

int explain_no_remapping(const struct device *device, struct err *err)
{
	return err_set(err, -EPERM, BLAME_HOST,
		"%s: the host has no interrupt remapping, so a guest could forge interrupts with it; "
		"enable it in the firmware (VT-d, AMD-Vi, x2APIC) and remove `intremap=off` from the "
		"kernel's command line", device->name);
}

static int check_group(struct broker *broker, struct device *device, struct err *err)
{
	char dir[PATH_MAX], name[32];
	int number, r;

	snprintf(dir, sizeof(dir), SYS_PCI "/%s", device->name);
	if (link_name(dir, "iommu_group", name, sizeof(name)) < 0)
		return err_set(err, -ENODEV, BLAME_HOST,
			"%s is behind no IOMMU: it is missing or off; enable VT-d or AMD-Vi in the "
			"firmware and boot the host with `intel_iommu=on` (AMD: without "
			"`amd_iommu=off`)", device->name);
	number = atoi(name);
	r = check_driver(device, err);
	if (r == 0)
		r = check_group_members(device, number, err);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < broker->n_groups; i++)
		if (broker->groups[i].number == number)
			device->group = (int)i;
	if (device->group >= 0)
		return 0;
	device->group = (int)broker->n_groups;
	broker->groups[broker->n_groups++] = (struct group){.number = number, .fd = FD_NONE_INIT};
	return 0;
}

/* Pinned guest RAM counts against the mapper's RLIMIT_MEMLOCK, by process (type1, vfio_lock_acct)
 * or by user (iommufd, update_unpinned). */
static int check_memlock(const struct broker *broker, struct err *err)
{
	struct rlimit limit;
	uint64_t ram = 0;

	for (unsigned i = 0; i < broker->n_ram; i++)
		ram += broker->ram[i].size;
	if (capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, CAP_IPC_LOCK))
		return 0;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return err_set(err, -errno, BLAME_HOST, "getrlimit: %s", strerror(errno));
	if (limit.rlim_max >= ram) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0)
			return 0;
	}
	return err_set(err, -ENOMEM, BLAME_HOST,
		"guest RAM (%llu MiB) must be locked for DMA, but RLIMIT_MEMLOCK is %llu MiB; raise "
		"it: `ulimit -l %llu`, systemd's LimitMEMLOCK=, or /etc/security/limits.conf",
		(unsigned long long)ram >> 20, (unsigned long long)limit.rlim_max >> 20,
		(unsigned long long)ram >> 10);
}

static int check_twice(const struct broker *broker, const struct device *device, struct err *err)
{
	for (const struct device *other = broker->devices; other < device; other++)
		if (strcmp(other->name, device->name) == 0)
			return err_set(err, -EEXIST, BLAME_HOST,
				"%s is named twice (--device); once is enough", device->name);
	return 0;
}

int check_devices(struct broker *broker, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; i < broker->n_devices && r == 0; i++) {
		struct device *device = &broker->devices[i];

		if (strcmp(device->kind, "vfio") == 0) {
			r = check_path(device, err);
			if (r == 0)
				r = check_twice(broker, device, err);
			if (r == 0)
				r = check_group(broker, device, err);
		} else if (strcmp(device->kind, "vdpa") == 0) {
			r = vdpa_check(broker, device, err);
		} else {
			snprintf(device->name, sizeof(device->name), "%s", device->id);
			r = check_twice(broker, device, err);
		}
	}
	if (r < 0 || !broker->n_groups)
		return r;
	r = dma_open(broker, err);
	return r < 0 ? r : check_memlock(broker, err);
}
