/* SPDX-License-Identifier: Apache-2.0
 *
 * A PCI function as sysfs describes it (Documentation/ABI/testing/sysfs-bus-pci). bulkhead-devices.
 *
 * Config space is the device's word: the walk over its capabilities is bounded.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helpers/devices/devices.h"
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

int pci_name(const char *text, char ret[static 16])
{
	unsigned domain = 0, bus, slot, function;
	int end = 0;

	if (sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &end) != 4 ||
		text[end] != '\0') {
		domain = 0;
		if (sscanf(text, "%2x:%2x.%1x%n", &bus, &slot, &function, &end) != 3 ||
			text[end] != '\0')
			return -EINVAL;
	}
	if (slot > 31 || function > 7 || strspn(text, "0123456789abcdefABCDEF:.") != strlen(text))
		return -EINVAL;
	snprintf(ret, 16, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff, slot, function);
	return 0;
}

bool pci_is_bridge(const struct function *f)
{
	return f->header != 0 || f->class >> 16 == 0x06;
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
	char path[WORD];
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
	attr_read(root, kind, sizeof(kind), "sys/kernel/iommu_groups/%s/name", link);
	return strcmp(kind, "vfio-noiommu") == 0 ? -1 : atoi(link);
}

int pci_read(int root, const char *name, struct function *ret, struct err *err)
{
	memset(ret, 0, sizeof(*ret));
	if (pci_name(name, ret->name) < 0)
		return err_set(err, -EINVAL, BLAME_HOST,
			"%.64s is not the address of a PCI function; give it as DDDD:BB:DD.F, as "
			"`bulkhead devices` lists them", name);
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
	read_config(root, ret);
	read_bars(root, ret);
	return 0;
}
