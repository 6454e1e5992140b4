/* SPDX-License-Identifier: Apache-2.0
 *
 * A configuration from the API: what argv could have said, and no more than argv lets it.
 *
 * Opener process. The api is the client's nearest, and may lie: each number and name is looked at here as
 * if nobody had. What lowers a wall is argv's alone (seccomp, --user, x_p2p, --allow-degraded) and has no
 * field to ask by.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers/open/open.h"
#include "helpers/open/vm.h"
#include "helpers/opts/opts_device.h"
#include "helpers/opts/opts_value.h"
#include "ipc/describe.h"
#include "ipc/units.h"

/* ---- the machine ----------------------------------------------------------------------------- */

static int take_cpus(const struct opening *opening, const Bulkhead__ApiConfig *told, struct cpus *ret,
	struct err *err)
{
	const unsigned max = opening->argv.max_cpus;
	const uint64_t parts[] = {told->threads_per_core, told->cores_per_die, told->dies_per_package,
		told->packages};
	uint64_t product = 1;

	if (told->vcpus == 0 || told->vcpus > max)
		return refuse(err, "cpus.boot_vcpus: %u is not from 1 to %u (--max-cpus)", told->vcpus, max);
	*ret = (struct cpus){.boot = told->vcpus, .max = told->vcpus, .threads = 1,
		.cores = told->vcpus, .dies = 1, .packages = 1};
	if (parts[0] == 0 && parts[1] == 0 && parts[2] == 0 && parts[3] == 0)
		return 0;
	for (unsigned i = 0; i < 4 && product <= VCPUS_MAX; i++)
		product *= parts[i];
	if (product != told->vcpus)
		return refuse(err, "cpus.topology: its product is not boot_vcpus (%u); make them the same",
			told->vcpus);
	ret->threads = told->threads_per_core;
	ret->cores = told->cores_per_die;
	ret->dies = told->dies_per_package;
	ret->packages = told->packages;
	return 0;
}

static int take_size(const struct opening *opening, uint64_t size, struct err *err)
{
	const uint64_t max = opening->argv.max_memory;

	if (size == 0 || size % PAGE_SIZE)
		return refuse(err, "memory.size: %llu is no whole number of pages; give a multiple of 2 MiB",
			(unsigned long long)size);
	if (max && size > max)
		return refuse(err, "memory.size: %llu is more than %llu (--max-memory); ask for less",
			(unsigned long long)size, (unsigned long long)max);
	return 0;
}

static int take_memory(const struct opening *opening, const Bulkhead__ApiConfig *told,
	struct ram_options *ret, struct err *err)
{
	const uint64_t page = told->hugepage_size ? told->hugepage_size : 2 * MiB;
	int r = take_size(opening, told->memory, err);

	if (r == 0 && page != 2 * MiB && page != GiB)
		return refuse(err, "memory.hugepage_size: %llu is not a huge page's; give 2 MiB or 1 GiB",
			(unsigned long long)page);
	*ret = (struct ram_options){.size = told->memory, .hugepages = told->hugepages,
		.hugepage_size = page, .prefault = told->prefault,
		.on_node = opening->argv.ram.on_node, .node = opening->argv.ram.node};
	return r;
}

/* An empty string is none. Absolute, as our folder is nobody's business. */
static int keep_path(const char *what, const char *path, const char **ret, struct err *err)
{
	if (path[0] == '\0')
		return 0;
	if (path[0] != '/' || strlen(path) >= PATH_MAX)
		return refuse(err, "%s: «%.100s» is no absolute path", what, path);
	*ret = strdup(path);
	return *ret ? 0 : err_set(err, -ENOMEM, BLAME_HOST, "out of memory");
}

static int take_console(const Bulkhead__ApiConfig *told, struct opts *ret, struct err *err)
{
	if (told->serial > CONSOLE_FILE || told->console > CONSOLE_FILE)
		return refuse(err, "serial.mode: it is one of Off, Null, Tty, Pty, File");
	ret->serial = (enum console_mode)told->serial;
	if ((ret->serial == CONSOLE_FILE) != (told->serial_file[0] != '\0'))
		return refuse(err, "serial.file: it goes with the mode File, and with no other");
	return keep_path("serial.file", told->serial_file, &ret->serial_path, err);
}

/* ---- devices --------------------------------------------------------------------------------- */

static int take_place(const Bulkhead__ApiDevice *told, struct device_opt *ret, struct err *err)
{
	if (told->pci_device_id >= PCI_DEVICES || told->pci_function >= PCI_FUNCTIONS ||
		(told->pci_function && !told->pci_device_id))
		return refuse(err, "%s: pci_device_id and pci_function are of no place on the guest's bus; "
			"it has devices 1 to %d, functions 0 to %d", ret->id, PCI_DEVICES - 1,
			PCI_FUNCTIONS - 1);
	ret->devfn = told->pci_device_id * PCI_FUNCTIONS + told->pci_function;
	return 0;
}

static int take_kind(const Bulkhead__ApiDevice *told, bool given, struct device_opt *ret,
	struct err *err)
{
	if (told->kind != DEVICE_KIND_VFIO && told->kind != DEVICE_KIND_VDPA)
		return refuse(err, "%s: it is neither a VFIO nor a vDPA device", ret->id);
	if (given == (told->path[0] != '\0'))
		return refuse(err, "%s: it takes a path or a descriptor, one of the two", ret->id);
	ret->kind = told->kind == DEVICE_KIND_VFIO ? KIND_VFIO : KIND_VDPA;
	if (told->num_queues > UINT16_MAX || told->trapped >> PCI_BARS)
		return refuse(err, "%s: num_queues or x_exclude_mmap_bars is out of range", ret->id);
	ret->num_queues = told->num_queues;
	ret->trapped = told->trapped;
	return 0;
}

static int keep_rom(const char *rom, const char **ret, struct err *err)
{
	if (strcmp(rom, "off") != 0)
		return keep_path("rom", rom, ret, err);
	*ret = strdup(rom);
	return *ret ? 0 : err_set(err, -ENOMEM, BLAME_HOST, "out of memory");
}

static void forget_device(struct wanted *device)
{
	free((char *)(uintptr_t)device->opt->path);
	free((char *)(uintptr_t)device->opt->rom);
	fd_close(&device->given);
	fd_close(&device->node);
	fd_close(&device->watch);
	fd_close(&device->rom);
}

static void wanted_init(struct wanted *device, struct device_opt *opt)
{
	*device = (struct wanted){.opt = opt, .group = -1, .given = FD_NONE_INIT, .node = FD_NONE_INIT,
		.watch = FD_NONE_INIT, .rom = FD_NONE_INIT};
}

int config_add(struct opening *opening, const Bulkhead__ApiDevice *told, struct fd given,
	struct err *err)
{
	struct opts *opts = &opening->opts;
	struct device_opt *opt = &opts->devices[opts->n_devices];
	struct wanted *device = &opening->devices[opts->n_devices];
	fd_owned owned = given;
	int r;

	if (opts->n_devices >= opening->argv.max_devices)
		return refuse(err, "there are %u devices (--max-devices, and room on the guest's bus)",
			opts->n_devices);
	*opt = (struct device_opt){.kind = KIND_NULL};
	wanted_init(device, opt);
	r = parse_id("id", told->id, opt->id, err);
	if (r == 0 && config_find(opening, opt->id) >= 0)
		return err_set(err, -EEXIST, BLAME_HOST, "%s: there is a device of that id", opt->id);
	if (r == 0)
		r = take_kind(told, owned.n >= 0, opt, err);
	if (r == 0)
		r = take_place(told, opt, err);
	if (r == 0)
		r = keep_path("path", told->path, &opt->path, err);
	if (r == 0)
		r = keep_rom(told->rom, &opt->rom, err);
	opts->n_devices++;
	opening->n_devices = opts->n_devices;
	if (r == 0)
		r = opts_check_places(opts, err);
	device->given = fd_take(&owned);
	if (r < 0)
		config_remove(opening, opts->n_devices - 1);
	return r;
}

void config_remove(struct opening *opening, unsigned index)
{
	struct opts *opts = &opening->opts;

	forget_device(&opening->devices[index]);
	opts->n_devices--;
	opening->n_devices = opts->n_devices;
	for (unsigned i = index; i < opts->n_devices; i++) {
		opts->devices[i] = opts->devices[i + 1];
		opening->devices[i] = opening->devices[i + 1];
		opening->devices[i].opt = &opts->devices[i];
	}
}

int config_find(const struct opening *opening, const char *id)
{
	for (unsigned i = 0; i < opening->opts.n_devices; i++) {
		if (strcmp(opening->opts.devices[i].id, id) == 0)
			return (int)i;
	}
	return -1;
}

/* ---- all of it ------------------------------------------------------------------------------- */

void config_forget(struct opening *opening)
{
	struct opts *opts = &opening->opts;

	while (opts->n_devices)
		config_remove(opening, opts->n_devices - 1);
	free((char *)(uintptr_t)opts->kernel);
	free((char *)(uintptr_t)opts->initramfs);
	free((char *)(uintptr_t)opts->cmdline);
	free((char *)(uintptr_t)opts->serial_path);
	pty_close(&opening->serial);
	pty_close(&opening->console);
	*opts = (struct opts){.shutdown_timeout_s = opening->argv.shutdown_timeout_s,
		.iommufd = opening->argv.iommufd, .seccomp = opening->argv.seccomp};
}

static int keep(const char **string, struct err *err)
{
	if (!*string)
		return 0;
	*string = strdup(*string);
	return *string ? 0 : err_set(err, -ENOMEM, BLAME_HOST, "out of memory");
}

int config_from_argv(struct opening *opening, struct err *err)
{
	struct opts *opts = &opening->opts;
	int r;

	*opts = opening->argv;
	r = keep(&opts->kernel, err);
	if (r == 0)
		r = keep(&opts->initramfs, err);
	if (r == 0)
		r = keep(&opts->cmdline, err);
	if (r == 0)
		r = keep(&opts->serial_path, err);
	for (unsigned i = 0; i < opts->n_devices && r == 0; i++) {
		wanted_init(&opening->devices[i], &opts->devices[i]);
		r = keep(&opts->devices[i].path, err);
		if (r == 0)
			r = keep(&opts->devices[i].rom, err);
	}
	opening->n_devices = opts->n_devices;
	return r < 0 || opts->serial != CONSOLE_PTY ? r : pty_open(&opening->serial, err);
}

static int take_machine(struct opening *opening, const Bulkhead__ApiConfig *told, struct err *err)
{
	struct opts *opts = &opening->opts;
	int r = take_cpus(opening, told, &opts->cpus, err);

	if (r == 0)
		r = take_memory(opening, told, &opts->ram, err);
	if (r == 0)
		r = take_console(told, opts, err);
	if (r == 0)
		r = keep_path("payload.kernel", told->kernel, &opts->kernel, err);
	if (r == 0)
		r = keep_path("payload.initramfs", told->initramfs, &opts->initramfs, err);
	if (r == 0 && told->cmdline[0]) {
		opts->cmdline = strdup(told->cmdline);
		r = opts->cmdline ? 0 : err_set(err, -ENOMEM, BLAME_HOST, "out of memory");
	}
	if (told->iommufd)
		opts->iommufd = IOMMUFD_ON;
	if (r == 0 && opts->serial == CONSOLE_PTY)
		r = pty_open(&opening->serial, err);
	return r < 0 || told->console != CONSOLE_PTY ? r : pty_open(&opening->console, err);
}

int config_from_wire(struct opening *opening, const Bulkhead__ApiCreate *told, struct err *err)
{
	int r;

	if (!told->config)
		return refuse(err, "the API's process sent no configuration");
	config_forget(opening);
	r = take_machine(opening, told->config, err);
	for (size_t i = 0; i < told->n_devices && r == 0; i++)
		r = config_add(opening, told->devices[i], FD_NONE_INIT, err);
	if (r < 0)
		config_forget(opening);
	return r;
}

int config_resize(struct opening *opening, uint32_t vcpus, uint64_t memory, struct err *err)
{
	const Bulkhead__ApiConfig plain = BULKHEAD__API_CONFIG__INIT;
	Bulkhead__ApiConfig told = plain;
	struct cpus cpus;
	int r = 0;

	told.vcpus = vcpus;
	if (vcpus)
		r = take_cpus(opening, &told, &cpus, err);
	if (r == 0 && memory)
		r = take_size(opening, memory, err);
	if (r < 0)
		return r;
	if (vcpus)
		opening->opts.cpus = cpus;
	if (memory)
		opening->opts.ram.size = memory;
	return 0;
}
