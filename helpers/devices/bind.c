/* SPDX-License-Identifier: Apache-2.0
 *
 * vfio-pci on and off, by driver_override (Documentation/ABI/testing/sysfs-bus-pci).
 * bulkhead-devices.
 *
 * Invariant: each function ends up either on the driver it was asked for or as it was found, with
 * driver_override as it was found; nothing is changed before everything was checked.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "helpers/devices/devices.h"
#include "ipc/log.h"

enum { AT_ONCE_MAX = 64 };

#define VFIO_PCI "vfio-pci"

static bool on_vfio(const struct function *f)
{
	return strcmp(f->driver, VFIO_PCI) == 0;
}

static int may_bind(int root, const struct function *f, bool force, struct err *err)
{
	char why[400], vfs[16];

	if (pci_is_bridge(f))
		return err_set(err, -EINVAL, BLAME_HOST,
			"%s is a bridge, which stays with the host; bind the devices behind it",
			f->name);
	if (f->group < 0)
		return err_set(err, -ENODEV, BLAME_HOST,
			"%s is behind no IOMMU, so no guest could have it; enable VT-d or AMD-Vi "
			"in the firmware and boot with `intel_iommu=on` (AMD: without "
			"`amd_iommu=off`)", f->name);
	if (disk_in_use(root, f->name, why, sizeof(why)))
		return err_set(err, -EBUSY, BLAME_HOST,
			"%s stays with the host: %.240s; unmount it, or end what uses it, first",
			f->name, why);
	if (attr_read(root, vfs, sizeof(vfs), SYS_PCI "/%s/sriov_numvfs", f->name) > 0 &&
		atoi(vfs) > 0)
		return err_set(err, -EBUSY, BLAME_HOST,
			"%s has %d virtual functions, which would go with its driver; bind those, "
			"or first `echo 0 >/" SYS_PCI "/%s/sriov_numvfs`", f->name, atoi(vfs),
			f->name);
	if (!force && route_in_use(root, f->name, why, sizeof(why)))
		return err_set(err, -EBUSY, BLAME_HOST,
			"%s stays with the host: %.200s; `bulkhead bind --force %s` cuts it off",
			f->name, why, f->name);
	return 0;
}

static int load_vfio_pci(int root, struct err *err)
{
	char *const argv[] = {(char[]){"modprobe"}, (char[]){VFIO_PCI}, NULL};
	char *const envp[] = {NULL};
	int status = 0, r;
	pid_t pid;

	if (is_there(root, "sys/bus/pci/drivers/" VFIO_PCI))
		return 0;
	r = posix_spawn(&pid, "/sbin/modprobe", NULL, NULL, argv, envp);
	if (r == 0 && waitpid(pid, &status, 0) < 0)
		r = errno;
	if (r == 0 && status == 0 && is_there(root, "sys/bus/pci/drivers/" VFIO_PCI))
		return 0;
	return err_set(err, r ? -r : -ENODEV, BLAME_HOST,
		"the host's kernel has no vfio-pci: `modprobe vfio-pci` %s; it is CONFIG_VFIO_PCI "
		"in the kernel's configuration, and loading it needs root",
		r ? strerror(r) : "did not load it");
}

static int driver_of(int root, const char *name, char ret[static WORD])
{
	return link_name(root, ret, WORD, SYS_PCI "/%s/driver", name);
}

/* Takes the driver away, if there is one; blocks while a process has the device open by VFIO. */
static int take_away(int root, const char *name, struct err *err)
{
	char driver[WORD];

	if (driver_of(root, name, driver) < 0)
		return 0;
	return attr_write(root, name, err, SYS_PCI "/%s/driver/unbind", name);
}

static int set_override(int root, const char *name, const char *driver, struct err *err)
{
	/* An empty line, and not an empty write, is what clears it. */
	return attr_write(root, driver[0] ? driver : "\n", err, SYS_PCI "/%s/driver_override",
		name);
}

static int probe(int root, const char *name, struct err *err)
{
	return attr_write(root, name, err, "sys/bus/pci/drivers_probe");
}

/* As it was: the override, and the driver, or none. */
static int put_back(int root, const char *name, const struct record *record, struct err *err)
{
	char driver[WORD];
	int r = set_override(root, name, record->override, err);

	driver_of(root, name, driver);
	if (r < 0 || strcmp(driver, record->driver) == 0)
		return r;
	r = take_away(root, name, err);
	if (r < 0 || !record->driver[0])
		return r;
	r = probe(root, name, err);
	driver_of(root, name, driver);
	if (strcmp(driver, record->driver) == 0)
		return 0;
	/* Another driver of the host's was first to match, or autoprobing found none. */
	if (r == 0)
		r = take_away(root, name, err);
	if (r < 0)
		return r;
	if (!is_there(root, "sys/bus/pci/drivers/%s", record->driver))
		return err_set(err, -ENODEV, BLAME_HOST,
			"%s had the driver %s, which is not loaded any more; load its module first",
			name, record->driver);
	return attr_write(root, name, err, "sys/bus/pci/drivers/%s/bind", record->driver);
}

static int give_away(int root, const struct function *f, struct record *ret, struct err *err)
{
	char driver[WORD];
	int r;

	snprintf(ret->driver, WORD, "%s", f->driver);
	attr_read(root, ret->override, WORD, SYS_PCI "/%s/driver_override", f->name);
	if (strcmp(ret->override, "(null)") == 0)
		ret->override[0] = '\0';
	r = record_write(root, f->name, ret, err);
	if (r < 0)
		return r;
	r = set_override(root, f->name, VFIO_PCI, err);
	if (r == 0)
		r = take_away(root, f->name, err);
	if (r == 0)
		r = probe(root, f->name, err);
	driver_of(root, f->name, driver);
	if (r == 0 && strcmp(driver, VFIO_PCI) != 0)
		r = err_set(err, -ENODEV, BLAME_HOST,
			"%s: vfio-pci did not take it; `dmesg | tail` may say why", f->name);
	return r;
}

static void undo(int root, const struct function *f, const struct record *record)
{
	struct err err = {0};

	if (put_back(root, f->name, record, &err) < 0)
		log_error("%s: not as it was: %s", f->name, err.msg);
	else
		record_remove(root, f->name);
}

static int read_all(int root, char *const *names, int n, struct function *ret, struct err *err)
{
	int r = 0;

	if (n > AT_ONCE_MAX)
		return err_set(err, -E2BIG, BLAME_HOST,
			"%d devices at once are too many; %d are not", n, AT_ONCE_MAX);
	for (int i = 0; i < n && r == 0; i++)
		r = pci_read(root, names[i], &ret[i], err);
	for (int i = 0; i < n && r == 0; i++)
		for (int k = 0; k < i && r == 0; k++)
			if (strcmp(ret[i].name, ret[k].name) == 0)
				r = err_set(err, -EINVAL, BLAME_HOST,
					"%s is named twice; once is enough", ret[i].name);
	return r;
}

int bind_functions(int root, char *const *names, int n, bool force, struct err *err)
{
	static struct function f[AT_ONCE_MAX];
	static struct record records[AT_ONCE_MAX];
	char others[256], drivers[256];
	int r = read_all(root, names, n, f, err), done;

	for (int i = 0; i < n && r == 0; i++)
		if (!on_vfio(&f[i]))
			r = may_bind(root, &f[i], force, err);
	if (r == 0)
		r = load_vfio_pci(root, err);
	if (r < 0)
		return r;
	for (done = 0; done < n && r == 0; done++)
		if (!on_vfio(&f[done]))
			r = give_away(root, &f[done], &records[done], err);
	while (r < 0 && done-- > 0)
		if (!on_vfio(&f[done]))
			undo(root, &f[done], &records[done]);
	for (int i = 0; i < n && r == 0; i++) {
		printf("%s: %s\n", f[i].name, on_vfio(&f[i]) ? "on vfio-pci already" :
			"vfio-pci has it");
		if (group_in_the_way(root, &f[i], others, drivers, sizeof(others)))
			printf("%s: its IOMMU group %d has devices of the host's too: %s; "
			       "`bulkhead bind %s`\n", f[i].name, f[i].group, drivers, others);
	}
	return r;
}

static int may_unbind(int root, const struct function *f, struct err *err)
{
	char comm[WORD] = "";
	pid_t pid = vfio_user(root, f, comm, sizeof(comm));

	if (!pid)
		return 0;
	return err_set(err, -EBUSY, BLAME_HOST,
		"%s is in use by process %d (%s), and the kernel would wait for that; end its VM "
		"first", f->name, pid, comm);
}

/* Not bound by bulkhead, or before a record was kept: the kernel chooses the driver. */
static int let_kernel_choose(int root, const struct function *f, struct err *err)
{
	int r = set_override(root, f->name, "", err);

	if (r == 0)
		r = take_away(root, f->name, err);
	return r < 0 ? r : probe(root, f->name, err);
}

static int take_back(int root, const struct function *f, struct err *err)
{
	struct record record;
	char driver[WORD];
	int r = record_read(root, f->name, &record, err);

	if (f->driver[0] && !on_vfio(f)) {
		printf("%s: %s has it, not vfio-pci: nothing to undo\n", f->name, f->driver);
		return 0;
	}
	if (r == -ENOENT)
		r = let_kernel_choose(root, f, err);
	else if (r == 0)
		r = put_back(root, f->name, &record, err);
	if (r < 0) {
		set_override(root, f->name, VFIO_PCI, NULL);
		probe(root, f->name, NULL);
		return r;
	}
	record_remove(root, f->name);
	driver_of(root, f->name, driver);
	printf("%s: %s\n", f->name, driver[0] ? driver : "no driver");
	return 0;
}

int unbind_functions(int root, char *const *names, int n, struct err *err)
{
	static struct function f[AT_ONCE_MAX];
	int r = read_all(root, names, n, f, err);

	for (int i = 0; i < n && r == 0; i++)
		if (on_vfio(&f[i]))
			r = may_unbind(root, &f[i], err);
	for (int i = 0; i < n && r == 0; i++)
		r = take_back(root, &f[i], err);
	return r;
}
