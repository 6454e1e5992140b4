/* SPDX-License-Identifier: Apache-2.0
 *
 * Is every device there, the operator's to give, and free? Found out before anything is changed, by
 * the answer `bulkhead devices` gives (helpers/host).
 *
 * Opener process. Each refusal names the device, the cause and the next step. What is looked at is what
 * the kernel would not say by itself when the nodes are opened; only once something stands in the way,
 * all is looked at, so that the advice is one that leads on.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "helpers/open/open.h"
#include "seccomp/layers.h"

/* Fills device->name: 0000:00:03.0. */
static int check_path(const struct opening *opening, struct wanted *device, struct err *err)
{
	char real[PATH_MAX], subsystem[WORD];
	const char *path = device->opt->path;
	struct pci_address address;

	if (!realpath(path, real))
		return err_set(err, -errno, BLAME_HOST,
			"--device path=%s: %s; `bulkhead devices` lists those of this host", path,
			errno == ENOENT ? "there is no such device" : strerror(errno));
	if (link_name(opening->root.n, subsystem, sizeof(subsystem), "%s/subsystem", real) < 0 ||
		strcmp(subsystem, "pci") != 0 ||
		pci_address_parse(strrchr(real, '/') + 1, &address) < 0)
		return err_set(err, -EINVAL, BLAME_HOST,
			"--device path=%s is not a PCI device; give it as /" SYS_PCI
			"/DDDD:BB:DD.F", path);
	pci_address_write(&address, device->name);
	return 0;
}

/* A client's own descriptor of the device: it is the node that the kernel says it is. */
static int check_given(const struct opening *opening, struct wanted *device, struct err *err)
{
	char target[PATH_MAX];
	struct pci_address address;
	struct stat st;

	if (fstat(device->given.n, &st) < 0 || !S_ISCHR(st.st_mode) ||
		link_name(opening->root.n, target, sizeof(target), "sys/dev/char/%u:%u/device",
			major(st.st_rdev), minor(st.st_rdev)) < 0 ||
		pci_address_parse(target, &address) < 0)
		return err_set(err, -EINVAL, BLAME_HOST, "%s: the descriptor is of no VFIO device; send one "
			"of /dev/vfio/devices/vfioN", device->opt->id);
	pci_address_write(&address, device->name);
	device->node = fd_take(&device->given);
	return 0;
}

/* Interrupts of a device that are not remapped are the host's as much as the guest's. The kernel can
 * be told to let that pass (allow_unsafe_interrupts of vfio_iommu_type1, of iommufd): that was said
 * of the host, and not of this guest. */
static int check_remapping(const struct wanted *device, struct verdict *verdict, struct err *err)
{
	unsigned left = 0;
	char what[200];
	int r = 0;

	for (unsigned i = 0; i < verdict->n && r == 0; i++) {
		const struct obstacle *o = &verdict->obstacles[i];

		if (o->kind != OBSTACLE_NO_REMAPPING) {
			verdict->obstacles[left++] = *o;
			continue;
		}
		obstacle_what(o, device->name, what, sizeof(what));
		r = layer_missing(LAYER_REMAPPING, -EPERM, err, "%s: %s", device->name, what);
	}
	if (r == 0 && left == verdict->n)
		layer_holds(LAYER_REMAPPING, "%s", device->name);
	verdict->n = left;
	return r;
}

static int check_obstacles(const struct opening *opening, const struct wanted *device,
	const struct function *f, struct err *err)
{
	struct host host = host_at(opening->root.n);
	struct verdict verdict;
	unsigned how = take_ways(opening);
	int r;

	take_pci(&host, f, how, &verdict);
	r = check_remapping(device, &verdict, err);
	if (r == 0 && verdict.n)
		r = explain(opening, device, how, -EBUSY, "it cannot be taken", err);
	host_close(&host);
	return r;
}

static int check_vfio(struct opening *opening, struct wanted *device, struct err *err)
{
	struct function f;
	int r = pci_read(opening->root.n, device->name, &f, err);

	if (r == 0)
		r = check_obstacles(opening, device, &f, err);
	if (r < 0)
		return r;
	snprintf(device->cdev, sizeof(device->cdev), "%s", f.cdev);
	for (unsigned i = 0; i < opening->n_groups; i++)
		if (opening->groups[i].number == f.group)
			device->group = (int)i;
	if (device->group >= 0)
		return 0;
	device->group = (int)opening->n_groups;
	opening->groups[opening->n_groups++] = (struct iommu_group){.number = f.group, .fd = FD_NONE_INIT};
	return 0;
}

/* What is in it is the core's to read. */
static int open_rom(const struct opening *opening, struct wanted *device, struct err *err)
{
	const char *path = device->opt->rom;

	if (strcmp(path, "off") == 0)
		return 0;
	device->rom.n = name_open(opening, ALLOW_RO, path, O_RDONLY, err);
	if (device->rom.n >= 0)
		return 0;
	return opening->walled ? device->rom.n : err_set(err, device->rom.n, BLAME_HOST,
		"--device rom=%.200s: %s; check the path", path, strerror(-device->rom.n));
}

static int check_twice(const struct opening *opening, const struct wanted *device, struct err *err)
{
	for (const struct wanted *other = opening->devices; other < device; other++)
		if (strcmp(other->name, device->name) == 0)
			return err_set(err, -EEXIST, BLAME_HOST,
				"%s is named twice (--%s); once is enough", device->name,
				device->opt->kind == KIND_VDPA ? "vdpa" : "device");
	return 0;
}

static int check_device(struct opening *opening, struct wanted *device, struct err *err)
{
	const enum word_kind kind = device->opt->kind;
	int r = device->opt->path ? name_allows(opening, device->opt->path, err) : 0;

	if (r < 0)
		return r;
	if (kind == KIND_VFIO)
		r = device->given.n >= 0 ? check_given(opening, device, err) : check_path(opening, device, err);
	else if (kind == KIND_VDPA)
		r = vdpa_check(opening, device, err);
	else
		snprintf(device->name, sizeof(device->name), "%.63s", device->opt->id);
	if (r == 0)
		r = check_twice(opening, device, err);
	if (r == 0 && kind == KIND_VFIO)
		r = check_vfio(opening, device, err);
	if (r == 0 && kind == KIND_VDPA)
		r = vdpa_open(opening, device, err);
	return r == 0 && device->opt->rom ? open_rom(opening, device, err) : r;
}

int check_devices(struct opening *opening, unsigned first, struct err *err)
{
	int r = 0;

	for (unsigned i = first; i < opening->n_devices && r == 0; i++)
		r = check_device(opening, &opening->devices[i], err);
	return r;
}
