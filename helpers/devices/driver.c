/* SPDX-License-Identifier: Apache-2.0
 *
 * Drivers on and off, by driver_override (Documentation/ABI/testing/sysfs-bus-pci).
 * bulkhead-devices.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "helpers/devices/devices.h"

static int driver_of(int root, const char *bdf, char ret[static WORD])
{
	return link_name(root, ret, WORD, SYS_PCI "/%s/driver", bdf);
}

void driver_state(int root, const char *bdf, struct record *ret)
{
	driver_of(root, bdf, ret->driver);
	attr_read(root, ret->override, WORD, SYS_PCI "/%s/driver_override", bdf);
	if (strcmp(ret->override, "(null)") == 0)
		ret->override[0] = '\0';
}

/* A module's driver of the PCI bus, once it is loaded: sys/module/M/drivers/pci:NAME. */
static bool driver_named(int root, const char *module, char ret[static WORD])
{
	folder_owned drivers = folder_of(root, "sys/module/%s/drivers", module);

	for (int i = 0; i < drivers.n; i++) {
		if (strncmp(drivers.entries[i]->d_name, "pci:", 4) != 0)
			continue;
		snprintf(ret, WORD, "%.63s", drivers.entries[i]->d_name + 4);
		return true;
	}
	if (strcmp(module, "vfio_pci") != 0 || !is_there(root, "sys/bus/pci/drivers/vfio-pci"))
		return false;
	strcpy(ret, "vfio-pci");
	return true;
}

int driver_load(int root, const char *module, char ret[static WORD], struct err *err)
{
	char name[WORD], *const argv[] = {(char[]){"modprobe"}, name, NULL};
	char *const envp[] = {NULL};
	int status = 0, r;
	pid_t pid;

	if (driver_named(root, module, ret))
		return 0;
	snprintf(name, sizeof(name), "%.63s", module);
	r = posix_spawn(&pid, "/sbin/modprobe", NULL, NULL, argv, envp);
	if (r == 0 && waitpid(pid, &status, 0) < 0)
		r = errno;
	if (r == 0 && status == 0 && driver_named(root, module, ret))
		return 0;
	return err_set(err, r ? -r : -ENODEV, BLAME_HOST,
		"the host's kernel has no %s: `modprobe %s` %s; it is CONFIG_VFIO_PCI, or for a "
		"device's own VFIO driver an option beside it, and loading it needs root", module,
		module, r ? strerror(r) : "did not load it");
}

/* Takes the driver away, if there is one; blocks while a process has the device open by VFIO. */
static int take_away(int root, const char *bdf, struct err *err)
{
	char driver[WORD];

	if (driver_of(root, bdf, driver) < 0)
		return 0;
	return attr_write(root, bdf, err, SYS_PCI "/%s/driver/unbind", bdf);
}

static int set_override(int root, const char *bdf, const char *driver, struct err *err)
{
	/* An empty line, and not an empty write, is what clears it. */
	return attr_write(root, driver[0] ? driver : "\n", err, SYS_PCI "/%s/driver_override", bdf);
}

static int probe(int root, const char *bdf, struct err *err)
{
	return attr_write(root, bdf, err, "sys/bus/pci/drivers_probe");
}

int driver_give(int root, const char *bdf, const char *driver, struct err *err)
{
	char has[WORD];
	int r = set_override(root, bdf, driver, err);

	driver_of(root, bdf, has);
	if (r < 0 || strcmp(has, driver) == 0)
		return r;
	r = take_away(root, bdf, err);
	if (r == 0)
		r = probe(root, bdf, err);
	driver_of(root, bdf, has);
	if (r == 0 && strcmp(has, driver) != 0)
		r = err_set(err, -ENODEV, BLAME_HOST,
			"%s: %s did not take it; `dmesg | tail` may say why", bdf, driver);
	return r;
}

int driver_put_back(int root, const char *bdf, const struct record *record, struct err *err)
{
	char driver[WORD];
	int r = set_override(root, bdf, record->override, err);

	driver_of(root, bdf, driver);
	if (r < 0 || strcmp(driver, record->driver) == 0)
		return r;
	r = take_away(root, bdf, err);
	if (r < 0 || !record->driver[0])
		return r;
	r = probe(root, bdf, err);
	driver_of(root, bdf, driver);
	if (strcmp(driver, record->driver) == 0)
		return 0;
	/* Another driver of the host's was first to match, or autoprobing found none. */
	if (r == 0)
		r = take_away(root, bdf, err);
	if (r < 0)
		return r;
	if (!is_there(root, "sys/bus/pci/drivers/%s", record->driver))
		return err_set(err, -ENODEV, BLAME_HOST,
			"%s had the driver %s, which is not loaded any more; load its module first",
			bdf, record->driver);
	return attr_write(root, bdf, err, "sys/bus/pci/drivers/%s/bind", record->driver);
}

int driver_free(int root, const char *bdf, struct err *err)
{
	int r = set_override(root, bdf, "", err);

	if (r == 0)
		r = take_away(root, bdf, err);
	return r < 0 ? r : probe(root, bdf, err);
}
