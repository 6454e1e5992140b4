/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting the broker and asking it for devices (the other side: helpers/broker/).
 *
 * Core process, main thread. The broker is started before /dev/kvm is used and before the core
 * gives up its rights; from then on the core cannot open a device any more, only ask for the ones
 * the operator named, by number.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/log.h"
#include "seccomp/layers.h"
#include "vmm/binary.h"
#include "vmm/broker.h"
#include "vmm/kvm/populate.h"

enum {
	BROKER_FD_ASK = 0, BROKER_FD_EVENT = 1, BROKER_FD_LOG = 2, BROKER_FD_ERROR = 3,
	ARGS_MAX = 16 + 2 * DEVICES_MAX,
};

struct args {
	char *v[ARGS_MAX];
	char text[DEVICES_MAX + 4][PATH_MAX + 160];
	unsigned n, used;
};

static char *arg_text(struct args *args, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static char *arg_text(struct args *args, const char *fmt, ...)
{
	char *text = args->text[args->used++];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(args->text[0]), fmt, ap);
	va_end(ap);
	return text;
}

static void build_args(struct args *args, const struct opts *opts, const struct tenant *tenant,
	char *binary)
{
	static char level[] = "--level", seccomp[] = "--seccomp", device[] = "--device";
	static char strictness[] = "--layers", user[] = "--user", cgroup[] = "--cgroup";
	static char kill[] = "true", log[] = "log", off[] = "false", iommufd[] = "--iommufd";
	static char modes[][5] = {[IOMMUFD_AUTO] = "auto", [IOMMUFD_ON] = "on",
		[IOMMUFD_OFF] = "off"};

	args->v[args->n++] = binary;
	args->v[args->n++] = level;
	args->v[args->n++] = arg_text(args, "%d", LOG_WARN + (int)opts->verbose);
	args->v[args->n++] = seccomp;
	args->v[args->n++] = opts->seccomp == SECCOMP_MODE_KILL ? kill
		: opts->seccomp == SECCOMP_MODE_LOG		? log
								: off;
	args->v[args->n++] = strictness;
	args->v[args->n++] = arg_text(args, "%s", layers_word());
	if (tenant->has_user) {
		args->v[args->n++] = user;
		args->v[args->n++] = arg_text(args, "%u:%u", tenant->uid, tenant->gid);
	}
	if (tenant->cgroup[0]) {
		args->v[args->n++] = cgroup;
		args->v[args->n++] = arg_text(args, "%s", tenant->cgroup);
	}
	args->v[args->n++] = iommufd;
	args->v[args->n++] = modes[opts->iommufd];
	for (unsigned i = 0; i < opts->n_devices; i++) {
		const struct device_opt *d = &opts->devices[i];

		args->v[args->n++] = device;
		args->v[args->n++] = d->path
			? arg_text(args, "kind=%s,id=%s,num_queues=%u,path=%s", d->kind, d->id,
				d->num_queues, d->path)
			: arg_text(args, "kind=%s,id=%s", d->kind, d->id);
	}
	args->v[args->n] = NULL;
}

/* The child: exactly four descriptors, then the broker. A failed exec is told through the fourth,
 * which exec closes. */
static void __attribute__((noreturn)) become_broker(const struct args *args, int ask, int event,
	int log, int error)
{
	/* Out of the way of the numbers they go to. */
	ask = fcntl(ask, F_DUPFD_CLOEXEC, 16);
	event = fcntl(event, F_DUPFD_CLOEXEC, 16);
	error = fcntl(error, F_DUPFD_CLOEXEC, 16);
	if ((log < 0 || dup2(log, BROKER_FD_LOG) >= 0) && dup2(ask, BROKER_FD_ASK) >= 0 &&
		dup2(event, BROKER_FD_EVENT) >= 0 &&
		dup3(error, BROKER_FD_ERROR, O_CLOEXEC) >= 0 &&
		syscall(SYS_close_range, BROKER_FD_ERROR + 1, ~0u, 0) == 0)
		execv(args->v[0], args->v);
	error = errno;
	if (write(BROKER_FD_ERROR, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

static int spawn(struct broker *broker, const struct args *args, int log_fd, struct err *err)
{
	fd_owned ask = FD_NONE_INIT, ask_peer = FD_NONE_INIT;
	fd_owned event = FD_NONE_INIT, event_peer = FD_NONE_INIT;
	int error[2] = {-1, -1}, code, r;

	r = frame_pair(&ask, &ask_peer);
	if (r == 0)
		r = frame_pair(&event, &event_peer);
	if (r == 0 && pipe2(error, O_CLOEXEC) < 0)
		r = -errno;
	if (r < 0)
		return err_set(err, r, BLAME_HOST, "cannot make channels for the broker: %s",
			strerror(-r));
	broker->pid = fork();
	if (broker->pid == 0)
		become_broker(args, ask_peer.n, event_peer.n, log_fd, error[1]);
	close(error[1]);
	code = broker->pid < 0 ? errno : 0;
	if (broker->pid > 0 && read(error[0], &code, sizeof(code)) == (ssize_t)sizeof(code))
		waitpid(broker->pid, NULL, 0);
	close(error[0]);
	if (code != 0) {
		broker->pid = 0;
		return err_set(err, -code, BLAME_HOST, "cannot start %s: %s", args->v[0],
			strerror(code));
	}
	broker->pidfd.n = (int)syscall(SYS_pidfd_open, broker->pid, 0);
	chan_init(&broker->ask, fd_take(&ask), ACTOR_CORE, ACTOR_BROKER, "broker");
	chan_init(&broker->event, fd_take(&event), ACTOR_CORE, ACTOR_BROKER, "broker");
	return 0;
}

/* Hands over the RAM memfd and lets the broker look at every device. */
static int ask_start(struct broker *broker, const struct ram *ram, struct err *err)
{
	Bulkhead__RamRegion regions[RAM_REGIONS], *ptrs[RAM_REGIONS];
	Bulkhead__Start body = BULKHEAD__START__INIT;
	Bulkhead__Packet packet = PACKET(START, start, &body);

	for (unsigned i = 0; i < ram->layout.n_ram; i++) {
		regions[i] = (Bulkhead__RamRegion)BULKHEAD__RAM_REGION__INIT;
		regions[i].gpa = ram->layout.ram[i].gpa;
		regions[i].size = ram->layout.ram[i].size;
		regions[i].offset = ram->layout.ram[i].offset;
		ptrs[i] = &regions[i];
	}
	body.n_ram = ram->layout.n_ram;
	body.ram = ptrs;
	return chan_ask(&broker->ask, &packet, &ram->memfd.n, 1, NULL, err);
}

int broker_start(struct broker *broker, const struct opts *opts, const struct tenant *tenant,
	const struct ram *ram, int log_fd, struct err *err)
{
	char binary[PATH_MAX];
	struct args *args;
	int r;

	*broker = (struct broker){.pidfd = FD_NONE_INIT, .wanted = opts->devices,
		.n_wanted = opts->n_devices};
	for (unsigned i = 0; i < opts->n_devices; i++)
		broker->pins |= strcmp(opts->devices[i].kind, "vfio") == 0;
	r = binary_find("broker", binary, err);
	if (r < 0)
		return r;
	args = calloc(1, sizeof(*args));
	if (!args)
		return err_set(err, -ENOMEM, BLAME_HOST, "out of memory");
	build_args(args, opts, tenant, binary);
	r = spawn(broker, args, log_fd, err);
	free(args);
	return r < 0 ? r : ask_start(broker, ram, err);
}

/* The place of the device, or its group, in KVM's list; -1: it is not on it. */
static int tell_kvm(struct vm *vm, struct fd file, int *ret_place, struct err *err)
{
	int r = file.n < 0 ? -1 : kvm_vfio_add(&vm->vfio, vm->fd.n, file, err);

	*ret_place = r;
	return file.n >= 0 && r < 0 ? r : 0;
}

static int attach(struct broker *broker, unsigned index, struct vm *vm, struct pci *pci,
	struct err *err)
{
	Bulkhead__Attach body = BULKHEAD__ATTACH__INIT;
	Bulkhead__Packet packet = PACKET(ATTACH, attach, &body);
	struct vf_token token = broker->wanted[index].token;
	struct fd file;
	struct peer peer;
	struct msg msg;
	int place, r;

	body.index = index;
	body.vf_token = token_to_wire(&token);
	r = chan_ask(&broker->ask, &packet, NULL, 0, &msg, err);
	explicit_bzero(&token, sizeof(token));
	if (r < 0)
		return r;
	peer_init(&peer, msg.packet->attached->name, msg_fd(&msg, 0), msg_fd(&msg, 1));
	file = msg_fd(&msg, 2);
	msg_done(&msg);
	r = tell_kvm(vm, file, &place, err);
	if (r < 0) {
		peer_step(&peer, PEER_GIVEN_BACK, NULL);
		return r;
	}
	broker->n = index + 1;
	return remote_create(&broker->remotes[index], &peer, place, vm, pci, &broker->wanted[index],
		err);
}

static void ask_map_bar(struct broker *broker, unsigned index, unsigned bar,
	const struct region_range *range)
{
	const struct remote *fn = &broker->remotes[index];
	Bulkhead__MapBar body = BULKHEAD__MAP_BAR__INIT;
	Bulkhead__Packet packet = PACKET(MAP_BAR, map_bar, &body);
	struct err err = {0};

	body.index = index;
	body.bar = bar;
	body.offset = range->offset;
	body.size = range->size;
	body.gpa = fn->bars[bar].placed + range->offset;
	if (chan_ask(&broker->ask, &packet, NULL, 0, NULL, &err) < 0)
		log_warn("%s: x_p2p=on: no device reaches its BAR %u by DMA: %s", fn->peer.name, bar,
			err.msg);
	else
		log_info("%s: BAR %u is reached by DMA at 0x%llx (%llu KiB)", fn->peer.name, bar,
			(unsigned long long)body.gpa, (unsigned long long)body.size >> 10);
}

/* x_p2p=on. BARs are where they were put just now, and where a guest that has no reason to move
 * them, as Linux has not, leaves them. Without it the VM is complete. */
static void map_bars(struct broker *broker, unsigned index)
{
	const struct remote *fn = &broker->remotes[index];
	unsigned n = 0;

	for (unsigned i = 0; i < PCI_BARS; i++)
		for (unsigned k = 0; k < fn->desc.regions[i].n_ranges; k++, n++)
			ask_map_bar(broker, index, i, &fn->desc.regions[i].ranges[k]);
	if (n == 0)
		log_warn("%s: x_p2p=on: it has no BAR that can be mapped", fn->peer.name);
}

int broker_attach_all(struct broker *broker, struct vm *vm, struct pci *pci, struct err *err)
{
	int r = broker->pins ? populate(&vm->ram, err) : 0;

	for (unsigned i = 0; i < broker->n_wanted; i++)
		pci_reserve(pci, broker->wanted[i].devfn);
	for (unsigned i = 0; i < broker->n_wanted && r == 0; i++)
		r = attach(broker, i, vm, pci, err);
	for (unsigned i = 0; i < broker->n_wanted && r == 0; i++) {
		r = rom_place(&broker->remotes[i], &broker->wanted[i], err);
		if (r == 0 && broker->wanted[i].p2p)
			map_bars(broker, i);
	}
	return r;
}

/* From here on eventfds flow from us to the helpers, and nothing flows to us. */
static int refuse_fds(struct broker *broker, struct err *err)
{
	int r = frame_refuse_fds(broker->ask.sock.n);

	if (r == 0)
		r = frame_refuse_fds(broker->event.sock.n);
	for (unsigned i = 0; i < broker->n && r == 0; i++) {
		r = frame_refuse_fds(broker->remotes[i].peer.ask.sock.n);
		if (r == 0)
			r = frame_refuse_fds(broker->remotes[i].peer.event.sock.n);
	}
	if (r < 0)
		return layer_missing(LAYER_PASSRIGHTS, r, err, "%s", strerror(-r));
	layer_holds(LAYER_PASSRIGHTS, "no descriptor comes from broker or helper any more");
	return 0;
}

int broker_seal(struct broker *broker, struct err *err)
{
	Bulkhead__Seal body = BULKHEAD__SEAL__INIT;
	Bulkhead__Packet packet = PACKET(SEAL, seal, &body);
	int r;

	for (unsigned i = 0; i < broker->n; i++) {
		r = remote_run(&broker->remotes[i], err);
		if (r < 0)
			return r;
	}
	r = refuse_fds(broker, err);
	return r < 0 ? r : chan_ask(&broker->ask, &packet, NULL, 0, NULL, err);
}
