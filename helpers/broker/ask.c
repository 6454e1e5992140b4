/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core asks of the broker. Broker process, one thread.
 *
 * The core says numbers, and what it says wrong ends us and with us the VM's devices. What cannot be
 * done is refused in the device's name.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "helpers/broker/broker.h"
#include "seccomp/layers.h"

static int on_start(struct broker *broker, struct msg *msg, struct err *err)
{
	const Bulkhead__Start *start = msg->packet->start;

	if (broker->started || start->n_ram > RAM_REGIONS_MAX)
		return err_set(err, -EBADMSG, BLAME_PEER, "core: Start out of turn");
	broker->started = true;
	broker->memfd = msg_fd(msg, 0);
	for (size_t i = 0; i < start->n_ram; i++) {
		const Bulkhead__RamRegion *in = start->ram[i];

		if (!in->size || (in->gpa | in->size | in->offset) % PAGE_SIZE ||
			in->gpa + in->size < in->gpa || in->offset + in->size < in->offset)
			return err_set(err, -EBADMSG, BLAME_PEER, "core: RAM region");
		broker->ram[broker->n_ram++] =
			(struct ram_region){in->gpa, in->size, in->offset};
	}
	return chan_done(&broker->core, msg);
}

/* What Open brings: a group; or the device's cdev; or a vDPA node and guest RAM. */
static unsigned open_fds(const struct broker *broker, struct device *device,
	Bulkhead__Open *open, int ret_fds[2])
{
	static Bulkhead__RamRegion regions[RAM_REGIONS_MAX], *ptrs[RAM_REGIONS_MAX];

	if (device->group >= 0) {
		open->bound = device->bound;
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
 * outlives the helper. Of a node that is the descriptor the opener gave us. */
static int ask_open(struct broker *broker, struct device *device, struct err *err)
{
	Bulkhead__Open body = BULKHEAD__OPEN__INIT;
	static struct msg answer;
	unsigned n_fds;
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
	/* How it ended the core is told by the launcher. */
	return r == -EPIPE ? err_set(err, r, BLAME_PEER, "%s: its helper ended before it had opened the "
		"device", device->name) : r;
}

static int attach(struct broker *broker, struct device *device, struct err *err)
{
	int r = device->group >= 0 ? dma_attach(broker, device, err) : 0;

	if (r == 0)
		r = ask_open(broker, device, err);
	explicit_bzero(&device->token, sizeof(device->token));
	device->attached = r == 0;
	return r;
}

/* What KVM is to know: a group, or a cdev, which is in the store by now. */
static int answer_attach(struct broker *broker, const struct device *device, struct msg *msg)
{
	Bulkhead__Attached body = BULKHEAD__ATTACHED__INIT;
	int fd = device->group < 0 ? -1 : device->bound ? device->store.n
		: broker->groups[device->group].fd.n;

	return chan_answer(&broker->core, msg, &PACKET(ATTACHED, attached, &body), &fd, fd >= 0);
}

static int on_attach(struct broker *broker, struct msg *msg, struct err *err)
{
	const Bulkhead__Attach *ask = msg->packet->attach;
	struct device *device = device_at(broker, ask->slot, ask->generation);
	int r;

	if (!broker->started || !device || !device->told || device->attached || device->release_until)
		return err_set(err, -EBADMSG, BLAME_PEER, "core: Attach out of turn");
	r = device->lives ? attach(broker, device, err)
		: err_set(err, -EPIPE, BLAME_PEER, "%s: its helper has ended", device->name);
	if (r < 0)
		return chan_refuse(&broker->core, msg, err);
	return answer_attach(broker, device, msg);
}

static int refuse_fds(struct broker *broker, struct err *err)
{
	int r = frame_refuse_fds(broker->core.sock.n);

	if (r == 0)
		r = frame_refuse_fds(broker->events.sock.n);
	for (unsigned i = 0; i < VM_SLOTS && r == 0; i++) {
		if (broker->devices[i].lives)
			r = frame_refuse_fds(broker->devices[i].chan.sock.n);
		if (broker->devices[i].lives && r == 0)
			r = frame_refuse_fds(broker->devices[i].log.n);
	}
	if (r < 0)
		return layer_missing(LAYER_PASSRIGHTS, r, err, "%s", strerror(-r));
	layer_holds(LAYER_PASSRIGHTS, "no descriptor comes from core or helper any more");
	return 0;
}

/* Nothing is on its way any more, and no device can have more. */
static int lower_limits(struct err *err)
{
	struct confine limits = {.max_fds = 16 + 6 * VM_SLOTS,
		.file_size = RLIM_INFINITY /* the operator's log file */};
	struct rlimit now;

	if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_max < limits.max_fds)
		limits.max_fds = (unsigned)now.rlim_max;
	return confine_limits(&limits, err);
}

static int on_seal(struct broker *broker, struct msg *msg, struct err *err)
{
	int r = refuse_fds(broker, err);

	fd_close(&broker->memfd);
	if (r == 0)
		r = lower_limits(err);
	if (r == 0)
		r = policy_enter(&policy_broker_run, broker->mode, false, err);
	if (r < 0)
		return chan_refuse(&broker->core, msg, err);
	broker->orders.phase = PHASE_RUN;
	return chan_done(&broker->core, msg);
}

/* Should the kernel refuse, the core tells the operator, and goes on. */
static int on_map_bar(struct broker *broker, struct msg *msg, struct err *err)
{
	const Bulkhead__MapBar *ask = msg->packet->map_bar;
	struct device *device = device_at(broker, ask->slot, ask->generation);
	int r;

	if (!device || device->group < 0 || device->store.n < 0)
		return err_set(err, -EBADMSG, BLAME_PEER, "core: MapBar of no device");
	r = bar_dma_map(broker, device, ask, err);
	if (r == -EBADMSG)
		return r;
	return r < 0 ? chan_refuse(&broker->core, msg, err) : chan_done(&broker->core, msg);
}

static int on_release(struct broker *broker, struct msg *msg, struct err *err)
{
	const Bulkhead__Release *told = msg->packet->release;
	struct device *device = device_at(broker, told->slot, told->generation);

	if (!device)
		return err_set(err, -EBADMSG, BLAME_PEER, "core: Release of no device");
	release_device(broker, device);
	return 0;
}

int on_core(struct broker *broker, struct err *err)
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
	case BULKHEAD__PACKET__BODY_RELEASE: r = on_release(broker, &msg, err); break;
	default: r = err_set(err, -EBADMSG, BLAME_BUG, "core: %s", msg.rule->name); break;
	}
	msg_done(&msg);
	return r;
}
