/* SPDX-License-Identifier: Apache-2.0
 *
 * A PCI function as sysfs describes it (Documentation/ABI/testing/sysfs-bus-pci,
 * sysfs-kernel-iommu_groups).
 *
 * Config space is the device's word: the walk over its capabilities is bounded.
 */
#include "helpers/host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/fd.h"

/* PCI 3.0 §6.1, §6.7, §6.8.2 */
enum {
	CONFIG_STATUS = 0x06,
	CONFIG_HEADER = 0x0e,
	CONFIG_CAPABILITIES = 0x34,
	CONFIG_SIZE = 0x100,
	CONFIG_OPEN_TO_ALL = 0x40, /* sysfs shows no more of it without CAP_SYS_ADMIN */
	STATUS_CAPABILITIES = 0x10,
	CAPABILITY_MSIX = 0x11,
	CAPABILITIES_MAX = 48, /* (256 - 64) / 4 */
};

/* include/linux/ioport.h, third column of `resource`. */
enum {
	RESOURCE_IO = 0x100,
	RESOURCE_PREFETCH = 0x2000,
	RESOURCE_MEM_64 = 0x100000,
};

/* PCI Code and ID Assignment 1.11, 1.7: class 06, and the subclasses that are the host's own. Others
 * of that class with a plain header (NVSwitch, NTB) are devices like any. */
bool pci_stays(const struct function *f)
{
	return (f->header != 0 && f->header != HEADER_NO_ANSWER) ||
		(f->class >> 8 >= 0x0600 && f->class >> 8 <= 0x0603);
}

static int msix_vectors(const uint8_t *config, ssize_t size)
{
	unsigned at;

	if (size < CONFIG_OPEN_TO_ALL)
		return MSIX_UNSEEN;
	if (!(config[CONFIG_STATUS] & STATUS_CAPABILITIES))
		return 0;
	at = config[CONFIG_CAPABILITIES] & 0xfc;
	for (unsigned i = 0; at >= 0x40 && i < CAPABILITIES_MAX; i++) {
		if (at + 4 > (size_t)size)
			return MSIX_UNSEEN;
		if (config[at] == CAPABILITY_MSIX)
			return ((config[at + 2] | config[at + 3] << 8) & 0x7ff) + 1;
		at = config[at + 1] & 0xfc;
	}
	return 0;
}

static void read_config(int root, struct function *f)
{
	char path[128];
	uint8_t config[CONFIG_SIZE];
	fd_owned fd = FD_NONE_INIT;
	ssize_t n = -1;

	snprintf(path, sizeof(path), SYS_PCI "/%s/config", f->name);
	fd.n = openat(root, path, O_RDONLY | O_CLOEXEC);
	if (fd.n >= 0)
		n = pread(fd.n, config, sizeof(config), 0);
	f->header = n > CONFIG_HEADER ? config[CONFIG_HEADER] & 0x7f : 0;
	f->vectors = msix_vectors(config, n);
}

static void read_bars(int root, struct function *f)
{
	unsigned long long start, end, flags;
	char text[2048], *line = text;

	attr_read(root, text, sizeof(text), SYS_PCI "/%s/resource", f->name);
	for (unsigned i = 0; i < BARS && line; i++) {
		if (sscanf(line, "%llx %llx %llx", &start, &end, &flags) == 3 && flags &&
			end > start)
			f->bars[i] = (struct bar){end - start + 1, flags & RESOURCE_IO,
				flags & RESOURCE_MEM_64, flags & RESOURCE_PREFETCH};
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
}

static unsigned number(int root, const char *name, const char *attr)
{
	char text[32];

	attr_read(root, text, sizeof(text), SYS_PCI "/%s/%s", name, attr);
	return (unsigned)strtoul(text, NULL, 16);
}

/* A group that vfio made up for a device without an IOMMU (enable_unsafe_noiommu_mode) is none. */
static int read_group(int root, const char *name)
{
	char link[WORD], kind[WORD];

	if (link_name(root, link, sizeof(link), SYS_PCI "/%s/iommu_group", name) < 0)
		return -1;
	attr_read(root, kind, sizeof(kind), SYS_GROUPS "/%s/name", link);
	return strcmp(kind, "vfio-noiommu") == 0 ? -1 : atoi(link);
}

/* vfio_register_group_dev makes vfio-dev/vfioN for whatever driver (since Linux 6.1); it has a number
 * where the kernel has nodes for devices (CONFIG_VFIO_DEVICE_CDEV). */
static void read_vfio(int root, struct function *f)
{
	folder_owned nodes = folder_of(root, SYS_PCI "/%s/vfio-dev", f->name);

	f->vfio = nodes.n || strcmp(f->driver, "vfio-pci") == 0;
	for (int i = 0; i < nodes.n; i++)
		if (is_there(root, SYS_PCI "/%s/vfio-dev/%s/dev", f->name, nodes.entries[i]->d_name))
			snprintf(f->cdev, WORD, "%.63s", nodes.entries[i]->d_name);
}

int pci_read(int root, const char *name, struct function *ret, struct err *err)
{
	struct pci_address address;

	memset(ret, 0, sizeof(*ret));
	if (pci_address_parse(name, &address) < 0)
		return err_set(err, -EINVAL, BLAME_HOST,
			"%.64s is not the address of a PCI function; give it as DDDD:BB:DD.F, as "
			"`bulkhead devices` lists them", name);
	pci_address_write(&address, ret->name);
	if (!is_there(root, SYS_PCI "/%s", ret->name))
		return err_set(err, -ENODEV, BLAME_HOST,
			"%s: there is no such device; `bulkhead devices` lists those of this host",
			ret->name);
	link_name(root, ret->driver, WORD, SYS_PCI "/%s/driver", ret->name);
	link_name(root, ret->iommu, WORD, SYS_PCI "/%s/iommu", ret->name);
	attr_read(root, ret->reset, sizeof(ret->reset), SYS_PCI "/%s/reset_method", ret->name);
	ret->vendor = number(root, ret->name, "vendor");
	ret->device = number(root, ret->name, "device");
	ret->class = number(root, ret->name, "class");
	ret->group = read_group(root, ret->name);
	read_vfio(root, ret);
	read_config(root, ret);
	read_bars(root, ret);
	return 0;
}

void pci_group_with(int root, const struct function *f, char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	if (f->group < 0)
		return;
	folder_owned members = folder_sorted(root, SYS_GROUPS "/%d/devices", f->group);

	for (int i = 0; i < members.n; i++) {
		const char *name = members.entries[i]->d_name;

		if (strcmp(name, f->name) != 0 && used + strlen(name) + 2 < size)
			used += (size_t)sprintf(ret + used, "%s%s", used ? " " : "", name);
	}
}
