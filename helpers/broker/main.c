/* SPDX-License-Identifier: Apache-2.0
 *
 * The broker's life. Broker process, one thread.
 *
 *   1. walls, set-up policy must not yet: have read a byte from anyone
 *   2. serve                the opener's devices, the launcher's deals and ends, the core's asks
 *        Start              guest RAM
 *        Attach, each       the device claimed, DMA mappings, helper; MapBar with x_p2p=on
 *        Seal               memfd closed, run policy: can claim and map nothing more
 *   3. the end              the core is gone: devices are given back when their helpers are
 *
 * Whoever says something that another's word leads to has said it before: so the launcher is listened
 * to first, then the opener, then the core.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helpers/broker/broker.h"

enum { HELPERS_END_MS = 5000 };

enum { POLL_WORDS, POLL_OPENER, POLL_CORE, POLL_DEVICES, POLLS = POLL_DEVICES + 2 * VM_SLOTS };

static int wait_for(const struct broker *broker, struct pollfd polls[static POLLS], int ms,
	struct err *err)
{
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};

	polls[POLL_WORDS] = (struct pollfd){.fd = BIRTH_FD_WORDS, .events = POLLIN};
	polls[POLL_OPENER] = (struct pollfd){.fd = broker->orders.sock.n, .events = POLLIN};
	polls[POLL_CORE] = (struct pollfd){.fd = broker->core.sock.n, .events = POLLIN};
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		const struct device *device = &broker->devices[i];

		polls[POLL_DEVICES + 2 * i] = (struct pollfd){.fd = device->watch.n, .events = POLLIN};
		polls[POLL_DEVICES + 2 * i + 1] = (struct pollfd){.fd = device->log.n,
			.events = POLLIN};
	}
	while (ppoll(polls, POLLS, ms < 0 ? NULL : &time, NULL) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, BLAME_BUG, "ppoll: %s", strerror(errno));
	return 0;
}

/* What came from devices, and whose time is over. */
static void tend(struct broker *broker, const struct pollfd polls[static POLLS])
{
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		if (polls[POLL_DEVICES + 2 * i + 1].revents)
			relay_lines(&broker->devices[i]);
		if (polls[POLL_DEVICES + 2 * i].revents)
			node_changed(broker, &broker->devices[i]);
	}
	release_tick(broker);
}

/* Until the launcher or the core is gone (-EPIPE), or somebody breaks a rule. */
static int serve(struct broker *broker, struct err *err)
{
	struct pollfd polls[POLLS];
	int r = 0;

	while (r == 0) {
		r = wait_for(broker, polls, release_left_ms(broker), err);
		if (r < 0)
			break;
		r = on_launcher(broker, err);
		if (r == 0)
			r = on_opener(broker, err);
		tend(broker, polls);
		if (r == 0 && polls[POLL_CORE].revents)
			r = on_core(broker, err);
	}
	return r;
}

static bool any_lives(const struct broker *broker)
{
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		if (broker->devices[i].lives)
			return true;
	}
	return false;
}

/* Devices are their helpers' until these have ended: the launcher ends those of a core that has, and the
 * others end as we hang up. */
static void see_helpers_end(struct broker *broker)
{
	const int64_t until = now_ms() + HELPERS_END_MS;
	struct pollfd polls[POLLS];
	struct err err = {0};
	int r = 0;

	chan_close(&broker->core);
	chan_close(&broker->orders);
	for (unsigned i = 0; i < VM_SLOTS; i++)
		chan_close(&broker->devices[i].chan);
	while (r == 0 && any_lives(broker) && now_ms() < until) {
		r = wait_for(broker, polls, (int)(until - now_ms()), &err);
		if (r == 0)
			r = on_launcher(broker, &err);
		if (r == 0)
			tend(broker, polls);
	}
	/* With the launcher gone nobody says who has ended, and all do, as we. */
	for (unsigned i = 0; i < VM_SLOTS && r == 0; i++) {
		if (broker->devices[i].lives)
			log_error("%s: its helper does not end; the device stays busy until it does",
				broker->devices[i].name);
	}
}

static int begin(int argc, char **argv, struct broker *broker, struct err *err)
{
	struct confine walls = {.file_size = RLIM_INFINITY}; /* the operator's log file */
	struct rlimit files;
	struct birth birth;
	int r = birth_read(argc, argv, &birth, err);

	if (r < 0)
		return r;
	broker->mode = birth.mode;
	log_init("bulkhead-broker", birth.level, BIRTH_FD_LOG);
	/* Descriptors on their way count against who has sent them (unix(7), ETOOMANYREFS). */
	walls.max_fds = getrlimit(RLIMIT_NOFILE, &files) == 0 ? (unsigned)files.rlim_max : 1024;
	walls.bare = birth.bare;
	r = confine_process(&walls, err);
	return r < 0 ? r : policy_enter(&policy_broker_setup, broker->mode, false, err);
}

static void init(struct broker *broker)
{
	*broker = (struct broker){.memfd = FD_NONE_INIT, .container = FD_NONE_INIT,
		.iommufd = FD_NONE_INIT};
	for (unsigned i = 0; i < VM_SLOTS; i++)
		broker->devices[i] = (struct device){.group = -1, .node = FD_NONE_INIT,
			.watch = FD_NONE_INIT, .log = FD_NONE_INIT, .store = FD_NONE_INIT,
			.chan.sock = FD_NONE_INIT};
	chan_init(&broker->orders, (struct fd){BIRTH_FD_ORDERS}, ACTOR_BROKER, ACTOR_OPENER, "opener");
	chan_init(&broker->core, (struct fd){BROKER_FD_ASK}, ACTOR_BROKER, ACTOR_CORE, "core");
	chan_init(&broker->events, (struct fd){BROKER_FD_EVENT}, ACTOR_BROKER, ACTOR_CORE, "core");
}

int main(int argc, char **argv)
{
	static struct broker broker;
	struct err err = {0};
	int r;

	log_init("bulkhead-broker", LOG_WARN, BIRTH_FD_LOG);
	init(&broker);
	r = begin(argc, argv, &broker, &err);
	if (r == 0)
		r = serve(&broker, &err);
	if (r != -EPIPE)
		log_error("%s", err.msg);
	see_helpers_end(&broker);
	release_all(&broker);
	return r != -EPIPE;
}
