/* SPDX-License-Identifier: Apache-2.0
 *
 * The real broker and its helpers, with the test as their core.
 */
#pragma once

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/chan.h"
#include "ipc/describe.h"
#include "tests/census.h"
#include "tests/needs.h"

enum { RAM = 16 << 20, DEVICES = 2 };

struct core {
	pid_t broker;
	struct chan ask, events;
	struct chan device[DEVICES], device_events[DEVICES];
	struct function_desc desc[DEVICES];
};

static struct err err;
static struct msg msg;

/* The binaries lie one directory above the tests', or where BULKHEAD_BUILD says. */
static inline void broker_path(char ret[static PATH_MAX])
{
	const char *build = getenv("BULKHEAD_BUILD");
	char self[PATH_MAX];
	ssize_t n;

	if (build) {
		snprintf(ret, PATH_MAX, "%s/bulkhead-broker", build);
		return;
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	cr_assert_gt(n, 0);
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	*strrchr(self, '/') = '\0';
	cr_assert_lt(snprintf(ret, PATH_MAX, "%s/bulkhead-broker", self), PATH_MAX);
}

static inline void start_broker(struct core *core, const char *const *devices)
{
	char path[PATH_MAX], *argv[16] = {path, (char[]){"--level"}, (char[]){"1"},
		(char[]){"--seccomp"}, (char[]){"true"}};
	struct fd ask, ask_peer, event, event_peer;
	static char texts[4][80];
	char device_arg[] = "--device", level[] = "3";
	int n = 5;

	broker_path(path);
	if (getenv("BULKHEAD_VERBOSE"))
		argv[2] = level;
	for (unsigned i = 0; i < 4 && devices[i]; i++) {
		argv[n++] = device_arg;
		snprintf(texts[i], sizeof(texts[i]), "%s", devices[i]);
		argv[n++] = texts[i];
	}
	argv[n] = NULL;
	cr_assert_eq(frame_pair(&ask, &ask_peer), 0);
	cr_assert_eq(frame_pair(&event, &event_peer), 0);
	core->broker = fork();
	if (core->broker == 0) {
		dup2(ask_peer.n, 0);
		dup2(event_peer.n, 1);
		close_range(3, ~0u, 0);
		execv(path, argv);
		_exit(127);
	}
	fd_close(&ask_peer);
	fd_close(&event_peer);
	chan_init(&core->ask, ask, ACTOR_CORE, ACTOR_BROKER, "broker");
	chan_init(&core->events, event, ACTOR_CORE, ACTOR_BROKER, "broker");
}

static inline int ask_start(struct core *core)
{
	Bulkhead__RamRegion region = BULKHEAD__RAM_REGION__INIT, *list[] = {&region};
	Bulkhead__Start start = BULKHEAD__START__INIT;
	int memfd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING), r;

	cr_assert_eq(ftruncate(memfd, RAM), 0);
	cr_assert_eq(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
	region.size = RAM;
	start.ram = list;
	start.n_ram = 1;
	r = chan_ask(&core->ask, &PACKET(START, start, &start), &memfd, 1, &msg, &err);
	close(memfd);
	if (r == 0)
		msg_done(&msg);
	return r;
}

static inline void attach(struct core *core, unsigned i)
{
	Bulkhead__Attach body = BULKHEAD__ATTACH__INIT;
	Bulkhead__Describe describe = BULKHEAD__DESCRIBE__INIT;
	static char names[DEVICES][64];
	int r;

	body.index = i;
	r = chan_ask(&core->ask, &PACKET(ATTACH, attach, &body), NULL, 0, &msg, &err);
	cr_assert_eq(r, 0, "attach: %s", err.msg);
	cr_assert_str_eq(msg.packet->attached->kind, "null");
	snprintf(names[i], sizeof(names[i]), "%s", msg.packet->attached->name);
	chan_init(&core->device[i], msg_fd(&msg, 0), ACTOR_CORE, ACTOR_HELPER, names[i]);
	chan_init(&core->device_events[i], msg_fd(&msg, 1), ACTOR_CORE, ACTOR_HELPER, names[i]);
	msg_done(&msg);
	r = chan_ask(&core->device[i], &PACKET(DESCRIBE, describe, &describe), NULL, 0, &msg,
		&err);
	cr_assert_eq(r, 0, "describe: %s", err.msg);
	r = describe_from_wire(msg.packet->description, &core->desc[i], &err);
	cr_assert_eq(r, 0, "%s", err.msg);
	msg_done(&msg);
}

static inline void run(struct core *core, unsigned i)
{
	Bulkhead__Run body = BULKHEAD__RUN__INIT;
	int r = chan_ask(&core->device[i], &PACKET(RUN, run, &body), NULL, 0, NULL, &err);

	cr_assert_eq(r, 0, "run: %s", err.msg);
}

static inline void seal(struct core *core)
{
	Bulkhead__Seal body = BULKHEAD__SEAL__INIT;
	int r = chan_ask(&core->ask, &PACKET(SEAL, seal, &body), NULL, 0, NULL, &err);

	cr_assert_eq(r, 0, "seal: %s", err.msg);
}

static inline void bring_up(struct core *core)
{
	static const char *const devices[] = {"kind=null,id=x", "kind=null,id=y", NULL};
	int r;

	start_broker(core, devices);
	r = ask_start(core);
	cr_assert_eq(r, 0, "start: %s", err.msg);
	for (unsigned i = 0; i < DEVICES; i++)
		attach(core, i);
	for (unsigned i = 0; i < DEVICES; i++)
		run(core, i);
	seal(core);
}

static inline int config_read(struct core *core, unsigned i, unsigned offset, unsigned size,
	uint64_t *ret)
{
	Bulkhead__ConfigRead body = BULKHEAD__CONFIG_READ__INIT;
	int r;

	body.offset = offset;
	body.size = size;
	r = chan_ask(&core->device[i], &PACKET(CONFIG_READ, config_read, &body), NULL, 0, &msg,
		&err);
	if (r == 0) {
		*ret = msg.packet->value->value;
		msg_done(&msg);
	}
	return r;
}

static inline int region_write(struct core *core, unsigned i, uint64_t offset, unsigned size,
	uint64_t value)
{
	Bulkhead__RegionWrite body = BULKHEAD__REGION_WRITE__INIT;

	body.offset = offset;
	body.size = size;
	body.value = value;
	return chan_ask(&core->device[i], &PACKET(REGION_WRITE, region_write, &body), NULL, 0,
		NULL, &err);
}

static inline uint64_t region_read(struct core *core, unsigned i, uint64_t offset, unsigned size)
{
	Bulkhead__RegionRead body = BULKHEAD__REGION_READ__INIT;
	uint64_t value;
	int r;

	body.offset = offset;
	body.size = size;
	r = chan_ask(&core->device[i], &PACKET(REGION_READ, region_read, &body), NULL, 0, &msg,
		&err);
	cr_assert_eq(r, 0, "%s", err.msg);
	value = msg.packet->value->value;
	msg_done(&msg);
	return value;
}

/* The pid of the broker's i-th living child. */
static inline pid_t helper_pid(const struct core *core, unsigned i)
{
	char path[64];
	int pids[8] = {0};
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", core->broker, core->broker);
	f = fopen(path, "re");
	cr_assert(f, "%s: %s", path, strerror(errno));
	for (unsigned n = 0; n < 8 && fscanf(f, "%d", &pids[n]) == 1; n++)
		;
	fclose(f);
	cr_assert_gt(pids[i], 0);
	return pids[i];
}

static inline void stop(struct core *core)
{
	Bulkhead__Stop body = BULKHEAD__STOP__INIT;
	int status, r;

	r = chan_ask(&core->ask, &PACKET(STOP, stop, &body), NULL, 0, NULL, &err);
	cr_assert_eq(r, 0, "stop: %s", err.msg);
	cr_assert_eq(waitpid(core->broker, &status, 0), core->broker);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status 0x%x", status);
}

/* Waits for the broker to end, and for its helpers, which are ours if they stayed behind. */
static inline void expect_gone(struct core *core)
{
	int status, n = 0;

	for (int i = 0; i < 200; i++) {
		n = waitpid(core->broker, &status, WNOHANG);
		if (n != 0)
			break;
		usleep(10000);
	}
	cr_assert_eq(n, core->broker, "the broker is still there after 2 s");
	for (int i = 0; i < 200 && waitpid(-1, &status, WNOHANG) >= 0; i++)
		usleep(10000);
	cr_assert_eq(waitpid(-1, &status, WNOHANG), -1, "a helper stayed behind");
}
