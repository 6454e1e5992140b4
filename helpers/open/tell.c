/* SPDX-License-Identifier: Apache-2.0
 *
 * What core and broker are told: numbers, and what is open by now. Opener process.
 *
 * The broker hears of a device before the core does, which then asks the broker about it.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "helpers/host/memory.h"
#include "helpers/open/open.h"

enum { ROOM_MS = 10000 /* for a receiver that is busy */ };

static int give(struct chan *chan, Bulkhead__Packet *packet, const int *fds, unsigned n_fds,
	struct err *err)
{
	int r = chan_give(chan, packet, fds, n_fds, ROOM_MS);

	if (r == -EMSGSIZE)
		return err_set(err, r, BLAME_HOST, "--cmdline is too long");
	if (r == -EPIPE) { /* it has ended, and said why, or the launcher does */
		*err = (struct err){.code = r, .blame = BLAME_PEER};
		return r;
	}
	return r < 0 ? err_set(err, r, BLAME_PEER, "bulkhead-%s takes no configuration: %s; is it stopped?",
		chan->name, strerror(-r)) : 0;
}

static void fill_machine(const struct opts *opts, Bulkhead__CoreConfig *ret)
{
	ret->vcpus = opts->cpus.boot;
	ret->max_vcpus = opts->cpus.max;
	ret->threads_per_core = opts->cpus.threads;
	ret->cores_per_die = opts->cpus.cores;
	ret->dies_per_package = opts->cpus.dies;
	ret->packages = opts->cpus.packages;
	ret->memory = opts->ram.size;
	ret->hugepages = opts->ram.hugepages;
	ret->hugepage_size = opts->ram.hugepage_size;
	ret->prefault = opts->ram.prefault;
	ret->on_node = opts->ram.on_node;
	ret->node = opts->ram.node;
}

static void fill_console(const struct opening *opening, Bulkhead__CoreConfig *ret)
{
	struct termios mode;

	ret->serial = opening->opts.serial;
	ret->serial_limit = opening->opts.serial_limit;
	ret->terminal = opening->files.serial_in.n >= 0 &&
		ioctl(opening->files.serial_in.n, TCGETS, &mode) == 0;
}

/* Before the configuration, at which the core begins: what it makes the serial port of is there then. */
static int tell_console(struct opening *opening, struct err *err)
{
	Bulkhead__CoreConsole body = BULKHEAD__CORE_CONSOLE__INIT;
	struct files *files = &opening->files;
	const int fds[] = {files->serial_out.n, files->serial_in.n};

	return files->serial_out.n < 0 ? 0 : give(&opening->core,
		&PACKET(CORE_CONSOLE, core_console, &body), fds, files->serial_in.n >= 0 ? 2 : 1, err);
}

static int tell_machine(struct opening *opening, struct err *err)
{
	Bulkhead__CoreConfig body = BULKHEAD__CORE_CONFIG__INIT;
	const struct opts *opts = &opening->opts;
	struct files *files = &opening->files;
	const int fds[] = {files->kvm.n, files->kernel.n, files->initramfs.n};
	cpu_set_t cpus;
	int r;

	fill_machine(opts, &body);
	fill_console(opening, &body);
	if (opts->ram.on_node) {
		memory_node_cpus(opening->root.n, opts->ram.node, &cpus);
		body.node_cpus = (ProtobufCBinaryData){sizeof(cpus), (uint8_t *)&cpus};
	}
	body.cmdline = opts->cmdline ? (char *)(uintptr_t)opts->cmdline : body.cmdline;
	body.initramfs = files->initramfs.n >= 0;
	body.shutdown_timeout_s = opts->shutdown_timeout_s;
	r = give(&opening->core, &PACKET(CORE_CONFIG, core_config, &body), fds,
		body.initramfs ? 3 : 2, err);
	fd_close(&files->kvm);
	fd_close(&files->kernel);
	fd_close(&files->initramfs);
	return r;
}

int tell_config(struct opening *opening, struct err *err)
{
	int r = tell_console(opening, err);

	if (r == 0)
		r = tell_machine(opening, err);
	fd_close(&opening->files.serial_out);
	fd_close(&opening->files.serial_in);
	return r;
}

static int tell_way(struct opening *opening, struct err *err)
{
	Bulkhead__BrokerConfig body = BULKHEAD__BROKER_CONFIG__INIT;
	int fd = opening->iommufd.n >= 0 ? opening->iommufd.n : opening->container.n, r = 0;

	body.iommufd = opening->iommufd.n >= 0;
	if (fd >= 0)
		r = give(&opening->broker, &PACKET(BROKER_CONFIG, broker_config, &body), &fd, 1, err);
	fd_close(&opening->iommufd);
	fd_close(&opening->container);
	return r;
}

/* A group goes with the first of its devices. */
static struct fd *broker_fd(struct opening *opening, struct wanted *device)
{
	return device->node.n >= 0 || device->group < 0 ? &device->node
		: &opening->groups[device->group].fd;
}

static int tell_broker(struct opening *opening, struct wanted *device, struct err *err)
{
	Bulkhead__BrokerDevice body = BULKHEAD__BROKER_DEVICE__INIT;
	struct fd *node = broker_fd(opening, device);
	const int fds[] = {node->n, device->watch.n};
	int r;

	body.slot = device->slot;
	body.generation = device->generation;
	body.kind = device->opt->kind;
	body.name = device->name;
	body.has_group = device->group >= 0;
	body.group = body.has_group ? (uint32_t)opening->groups[device->group].number : 0;
	body.bound = device->group >= 0 && device->node.n >= 0;
	body.num_queues = device->opt->num_queues;
	body.silence_s = device->silence_s;
	body.vf_token = token_to_wire(&device->opt->token);
	r = give(&opening->broker, &PACKET(BROKER_DEVICE, broker_device, &body), fds,
		node->n < 0 ? 0 : device->watch.n < 0 ? 1 : 2, err);
	fd_close(node);
	fd_close(&device->watch);
	return r;
}

static int tell_core(struct opening *opening, struct wanted *device, struct err *err)
{
	Bulkhead__CoreDevice body = BULKHEAD__CORE_DEVICE__INIT;
	const struct device_opt *opt = device->opt;
	int r;

	body.slot = device->slot;
	body.generation = device->generation;
	body.kind = opt->kind;
	body.name = device->name;
	body.id = (char *)(uintptr_t)opt->id;
	body.devfn = opt->devfn;
	body.trapped = opt->trapped;
	body.p2p = opt->p2p;
	body.rom = device->rom.n >= 0 ? ROM_FILE : opt->rom ? ROM_OFF : ROM_OWN;
	r = give(&opening->core, &PACKET(CORE_DEVICE, core_device, &body), &device->rom.n,
		device->rom.n >= 0, err);
	fd_close(&device->rom);
	return r;
}

int tell_devices(struct opening *opening, unsigned first, struct err *err)
{
	int r = tell_way(opening, err);

	for (unsigned i = first; i < opening->n_devices && r == 0; i++) {
		r = tell_broker(opening, &opening->devices[i], err);
		if (r == 0)
			r = tell_core(opening, &opening->devices[i], err);
	}
	return r;
}

int tell_go(struct opening *opening, struct err *err)
{
	Bulkhead__CoreGo body = BULKHEAD__CORE_GO__INIT;

	body.devices = opening->n_devices;
	return give(&opening->core, &PACKET(CORE_GO, core_go, &body), NULL, 0, err);
}
