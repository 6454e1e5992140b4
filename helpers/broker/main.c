/* SPDX-License-Identifier: Apache-2.0
 *
 * The broker's life. Broker process, one thread.
 *
 *   1. argv, set-up policy  needs: descriptors 0 (core asks), 1 (events to core), 2 (operator)
 *   2. Start                checks every device; nothing is changed yet
 *   3. Attach, each         the device claimed, DMA mappings, helper; MapBar with x_p2p=on
 *   4. Seal                 memfd closed, own walls, run policy: can start and open nothing more
 *   5. serve                helpers' ends and log lines; devices that go back; the core's Stop
 *   6. the end              at Stop, or when the core is gone: helpers killed, devices given back
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "helpers/broker/broker.h"
#include "seccomp/confine.h"
#include "seccomp/layers.h"

enum { FD_CORE = 0, FD_EVENTS = 1, REAP_MS = 1000 };

/* Everything that takes root's rights is open. CAP_IPC_LOCK is gone after this, so RAM for devices
 * needs the limit; should it stay too low, mapping says so. The change of credentials clears the
 * death signal. */
static int become_user(struct broker *broker, struct err *err)
{
	struct rlimit limit = {0, 0};
	int r;

	for (unsigned i = 0; i < broker->n_ram; i++)
		limit.rlim_max = limit.rlim_cur += broker->ram[i].size;
	if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		log_info("--user: RLIMIT_MEMLOCK cannot be raised to the guest's RAM: %s",
			strerror(errno));
	r = confine_user(broker->uid, broker->gid, err);
	return r < 0 ? r : confine_with_parent(broker->parent, err);
}

static int on_start(struct broker *broker, struct msg *msg, struct err *err)
{
	const Bulkhead__Start *start = msg->packet->start;
	Bulkhead__Started body = BULKHEAD__STARTED__INIT;
	int r;

	if (broker->started || start->n_ram > RAM_REGIONS_MAX)
		return err_set(err, -EBADMSG, BLAME_PEER, "core: Start out of turn");
	broker->started = true;
	broker->memfd = msg_fd(msg, 0);
	for (size_t i = 0; i < start->n_ram; i++) {
		const Bulkhead__RamRegion *in = start->ram[i];

		if (!in->size || (in->gpa | in->size | in->offset) % 4096 ||
			in->gpa + in->size < in->gpa || in->offset + in->size < in->offset)
			return err_set(err, -EBADMSG, BLAME_PEER, "core: RAM region");
		broker->ram[broker->n_ram++] =
			(struct ram_region){in->gpa, in->size, in->offset};
	}
	r = check_devices(broker, err);
	if (r == 0)
		r = dma_open(broker, err);
	if (r < 0)
		return chan_refuse(&broker->core, msg, err);
	if (broker->has_user)
		r = become_user(broker, err);
	if (r < 0)
		return chan_refuse(&broker->core, msg, err);
	body.devices = broker->n_devices;
	return chan_answer(&broker->core, msg, &PACKET(STARTED, started, &body), NULL, 0);
}

/* What Open brings: a group; or the device's cdev; or a vDPA node and guest RAM. */
static unsigned open_fds(const struct broker *broker, struct device *device,
	Bulkhead__Open *open, int ret_fds[2])
{
	static Bulkhead__RamRegion regions[RAM_REGIONS_MAX], *ptrs[RAM_REGIONS_MAX];

	if (device->group >= 0) {
		open->bound = device->node.n >= 0;
		if (!open->bound)
			open->vf_token = token_to_wire(&device->token);
		ret_fds[0] = open->bound ? device->node.n : broker->groups[device->group].fd.n;
		return 1;
	}
	if (device->node.n < 0)
		return 0;
	ret_fds[0] = device->node.n;
	ret_fds[1] = broker->memfd.n;
	for (unsigned i = 0; i < broker->n_ram; i++) {
		bulkhead__ram_region__init(&regions[i]);
		regions[i].gpa = broker->ram[i].gpa;
		regions[i].size = broker->ram[i].size;
		regions[i].offset = broker->ram[i].offset;
		ptrs[i] = &regions[i];
	}
	open->n_ram = broker->n_ram;
	open->ram = ptrs;
	open->num_queues = device->num_queues;
	open->silence_s = device->silence_s;
	return 2;
}

/* The helper opens the device; we keep a duplicate, so that what runs between guest and device
 * outlives the helper. Of a node that is the descriptor we opened ourselves. */
static int ask_open(struct broker *broker, struct device *device, struct err *err)
{
	Bulkhead__Open body = BULKHEAD__OPEN__INIT;
	static struct msg answer;
	unsigned n_fds;
	char cause[64];
	int fds[2], r;

	body.name = device->name;
	n_fds = open_fds(broker, device, &body, fds);
	r = chan_ask(&device->chan, &PACKET(OPEN, open, &body), fds, n_fds, &answer, err);
	relay_lines(device);
	if (r == 0) {
		device->store = device->node.n >= 0 ? fd_take(&device->node) : msg_fd(&answer, 0);
		msg_done(&answer);
		return 0;
	}
	if (r == -EPIPE && helper_reap(device, REAP_MS, cause, sizeof(cause)) == 0) {
		relay_lines(device);
		return err_set(err, r, BLAME_PEER, "%s: its helper %s before it opened the device",
			device->name, cause);
	}
	return r;
}

static int attach(struct broker *broker, struct device *device, struct fd *ret_ask,
	struct fd *ret_event, struct err *err)
{
	int r = 0;

	if (device->group >= 0)
		r = dma_attach(broker, device, err);
	if (r == 0)
		r = spawn_helper(broker, device, ret_ask, ret_event, err);
	if (r == 0)
		r = ask_open(broker, device, err);
	explicit_bzero(&device->token, sizeof(device->token));
	return r;
}

static int on_attach(struct broker *broker, struct msg *msg, struct err *err)
{
	Bulkhead__Attached body = BULKHEAD__ATTACHED__INIT;
	uint32_t index = msg->packet->attach->index;
	char kind[16], id[NAME_MAX_BYTES];
	fd_owned ask = FD_NONE_INIT, event = FD_NONE_INIT;
	struct device *device;
	int fds[3], r;

	if (!broker->started || index >= broker->n_devices || broker->devices[index].pid)
		return err_set(err, -EBADMSG, BLAME_PEER, "core: Attach out of turn");
	device = &broker->devices[index];
	if (token_from_wire(&msg->packet->attach->vf_token, &device->token, err) < 0)
		return err_prefix(err, "core");
	r = attach(broker, device, &ask, &event, err);
	if (r < 0)
		return chan_refuse(&broker->core, msg, err);
	snprintf(kind, sizeof(kind), "%s", device->kind);
	snprintf(id, sizeof(id), "%s", device->id);
	body.kind = kind;
	body.name = device->name;
	body.id = id;
	fds[0] = ask.n;
	fds[1] = event.n;
	fds[2] = device->group < 0 ? -1 : broker->groups[device->group].fd.n;
	if (device->group >= 0 && broker->iommufd.n >= 0)
		fds[2] = device->store.n;
	return chan_answer(&broker->core, msg, &PACKET(ATTACHED, attached, &body), fds,
		fds[2] >= 0 ? 3 : 2);
}

/* Neither core nor helpers have descriptors for us from now on. */
static int refuse_fds(const struct broker *broker, struct err *err)
{
	int r = frame_refuse_fds(broker->core.sock.n);

	if (r == 0)
		r = frame_refuse_fds(broker->events.sock.n);
	for (unsigned i = 0; i < broker->n_devices && r == 0; i++) {
		if (broker->devices[i].pid)
			r = frame_refuse_fds(broker->devices[i].chan.sock.n);
		if (broker->devices[i].log.n >= 0 && r == 0)
			r = frame_refuse_fds(broker->devices[i].log.n);
	}
	if (r < 0)
		return layer_missing(LAYER_PASSRIGHTS, r, err, "%s", strerror(-r));
	layer_holds(LAYER_PASSRIGHTS, "no descriptor comes from core or helper any more");
	return 0;
}

static int on_seal(struct broker *broker, struct msg *msg, struct err *err)
{
	const struct confine walls = {.unshare = true, .max_fds = 16 + 6 * broker->n_devices,
		.file_size = RLIM_INFINITY, /* the operator's log file */
		.die_with_parent = true, .kills = true};
	int r;

	fd_close(&broker->memfd);
	fd_close(&broker->root);
	for (unsigned i = 0; i < broker->n_devices; i++)
		fd_close(&broker->devices[i].cgroup);
	r = refuse_fds(broker, err);
	if (r == 0)
		r = confine_process(&walls, err);
	if (r == 0)
		r = policy_enter(&policy_broker_run, broker->mode, false, err);
	if (r < 0)
		return chan_refuse(&broker->core, msg, err);
	broker->sealed = true;
	return chan_done(&broker->core, msg);
}

/* Should the kernel refuse, the core tells the operator, and goes on. */
static int on_map_bar(struct broker *broker, struct msg *msg, struct err *err)
{
	const Bulkhead__MapBar *ask = msg->packet->map_bar;
	int r;

	if (ask->index >= broker->n_devices || broker->devices[ask->index].group < 0 ||
		broker->devices[ask->index].store.n < 0)
		return err_set(err, -EBADMSG, BLAME_PEER, "core: MapBar of no device");
	r = bar_dma_map(broker, &broker->devices[ask->index], ask, err);
	if (r == -EBADMSG)
		return r;
	return r < 0 ? chan_refuse(&broker->core, msg, err) : chan_done(&broker->core, msg);
}

/* 1: the end, in good order. */
static int on_stop(struct broker *broker, struct msg *msg)
{
	int r;

	release_all(broker);
	r = chan_done(&broker->core, msg);
	return r < 0 ? r : 1;
}

/* A helper the core no longer talks to has no business with a device. That it ended is told by
 * HelperGone like any other end. */
static int on_end_helper(struct broker *broker, struct msg *msg, struct err *err)
{
	uint32_t index = msg->packet->end_helper->index;

	if (index >= broker->n_devices)
		return err_set(err, -EBADMSG, BLAME_PEER, "core: EndHelper of no device");
	helper_kill(&broker->devices[index]);
	return 0;
}

static int on_release(struct broker *broker, struct msg *msg, struct err *err)
{
	uint32_t index = msg->packet->release->index;

	if (index >= broker->n_devices)
		return err_set(err, -EBADMSG, BLAME_PEER, "core: Release of no device");
	release_device(broker, index);
	return 0;
}

static int on_core(struct broker *broker, struct err *err)
{
	static struct msg msg;
	int r = chan_recv(&broker->core, &msg, 0, err);

	if (r < 0)
		return r == -ETIMEDOUT ? 0 : r;
	switch (msg.packet->body_case) {
	case BULKHEAD__PACKET__BODY_START: r = on_start(broker, &msg, err); break;
	case BULKHEAD__PACKET__BODY_ATTACH: r = on_attach(broker, &msg, err); break;
	case BULKHEAD__PACKET__BODY_MAP_BAR: r = on_map_bar(broker, &msg, err); break;
	case BULKHEAD__PACKET__BODY_SEAL: r = on_seal(broker, &msg, err); break;
	case BULKHEAD__PACKET__BODY_END_HELPER: r = on_end_helper(broker, &msg, err); break;
	case BULKHEAD__PACKET__BODY_RELEASE: r = on_release(broker, &msg, err); break;
	case BULKHEAD__PACKET__BODY_STOP: r = on_stop(broker, &msg); break;
	default: r = err_set(err, -EBADMSG, BLAME_BUG, "core: %s", msg.rule->name); break;
	}
	msg_done(&msg);
	return r;
}

/* The device stays open in our store: what its guest has mapped keeps working. */
static void on_helper_end(struct broker *broker, unsigned index)
{
	struct device *device = &broker->devices[index];
	Bulkhead__HelperGone body = BULKHEAD__HELPER_GONE__INIT;
	char cause[64];

	relay_lines(device);
	if (helper_reap(device, 0, cause, sizeof(cause)) < 0)
		return;
	fd_close(&device->log);
	body.index = index;
	body.cause = cause;
	if (chan_tell(&broker->events, &PACKET(HELPER_GONE, helper_gone, &body)) < 0)
		log_warn("%s: its helper %s, and the core takes no news", device->name, cause);
	release_helper_ended(broker, index);
}

enum { POLL_CORE, POLL_NODES, POLL_DEVICES, POLLS = POLL_DEVICES + 2 * DEVICES_MAX };

static int wait_for(const struct broker *broker, struct pollfd polls[static POLLS], struct err *err)
{
	const int ms = release_left_ms(broker);
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};

	polls[POLL_CORE] = (struct pollfd){.fd = broker->core.sock.n, .events = POLLIN};
	polls[POLL_NODES] = (struct pollfd){.fd = broker->nodes.n, .events = POLLIN};
	for (unsigned i = 0; i < broker->n_devices; i++) {
		const struct device *device = &broker->devices[i];

		polls[POLL_DEVICES + 2 * i] = (struct pollfd){.fd = device->pidfd.n, .events = POLLIN};
		polls[POLL_DEVICES + 2 * i + 1] = (struct pollfd){.fd = device->log.n,
			.events = POLLIN};
	}
	while (ppoll(polls, POLL_DEVICES + 2 * broker->n_devices, ms < 0 ? NULL : &time, NULL) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, BLAME_BUG, "ppoll: %s", strerror(errno));
	return 0;
}

/* Until Stop (0) or the core is gone (-EPIPE) or breaks a rule. */
static int serve(struct broker *broker, struct err *err)
{
	struct pollfd polls[POLLS];
	int r = 0;

	while (r == 0) {
		r = wait_for(broker, polls, err);
		if (r < 0)
			break;
		for (unsigned i = 0; i < broker->n_devices; i++) {
			if (polls[POLL_DEVICES + 2 * i + 1].revents)
				relay_lines(&broker->devices[i]);
			if (polls[POLL_DEVICES + 2 * i].revents)
				on_helper_end(broker, i);
		}
		release_tick(broker);
		if (polls[POLL_NODES].revents)
			nodes_changed(broker);
		if (polls[POLL_CORE].revents)
			r = on_core(broker, err);
	}
	return r < 0 ? r : 0;
}

int main(int argc, char **argv)
{
	static const int not_ours[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	static struct broker broker = {.level = LOG_WARN, .memfd = {-1}, .container = {-1},
		.iommufd = {-1}, .nodes = {-1}, .root = {-1}};
	struct err err = {0};
	sigset_t ours;
	int r;

	log_init("bulkhead-broker", LOG_WARN, STDERR_FILENO);
	if (args_parse(argc, argv, &broker) < 0) {
		log_error("started by hand? usage: bulkhead-broker --level N --seccomp "
			  "true|log|false [--layers strict|degraded] [--user UID:GID] [--cgroup "
			  "DIR] --iommufd auto|on|off --device kind=K,id=I[,path=P]"
			  "[,num_queues=N]..., by the core");
		return 1;
	}
	log_init("bulkhead-broker", broker.level, STDERR_FILENO);
	/* Signals to the whole process group are the core's to act on; we end when it does. The
	 * helpers inherit this. */
	for (unsigned i = 0; i < sizeof(not_ours) / sizeof(not_ours[0]); i++)
		signal(not_ours[i], SIG_IGN);
	signal(SIGALRM, SIG_DFL); /* release.c */
	sigemptyset(&ours);
	sigaddset(&ours, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &ours, NULL);
	r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? err_set(&err, -errno, BLAME_HOST,
		"no_new_privs: %s", strerror(errno)) : 0;
	/* From the first moment: pinning the RAM of a large guest takes long, and a core that is
	 * killed meanwhile must not leave us at it. */
	broker.parent = getppid();
	nodes_open(&broker);
	if (r == 0)
		r = confine_with_parent(broker.parent, &err);
	if (r == 0 && broker.cgroup)
		r = cgroup_init(&broker, &err);
	if (r == 0)
		r = policy_enter(&policy_broker_setup, broker.mode, false, &err);
	chan_init(&broker.core, (struct fd){FD_CORE}, ACTOR_BROKER, ACTOR_CORE, "core");
	chan_init(&broker.events, (struct fd){FD_EVENTS}, ACTOR_BROKER, ACTOR_CORE, "core");
	if (r == 0)
		r = serve(&broker, &err);
	if (r < 0) {
		release_all(&broker);
		if (r != -EPIPE)
			log_error("%s", err.msg);
	}
	return r < 0 && r != -EPIPE;
}
