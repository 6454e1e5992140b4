/* SPDX-License-Identifier: Apache-2.0
 *
 * The real broker and the real null helper, with this test as their core: from Start to a helper
 * that is killed and a core that goes away without a word.
 *
 * links: tests/census.c
 */
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
static void broker_path(char ret[static PATH_MAX])
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

static void start_broker(struct core *core, const char *const *devices)
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

static int ask_start(struct core *core)
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

static void attach(struct core *core, unsigned i)
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

static void run(struct core *core, unsigned i)
{
	Bulkhead__Run body = BULKHEAD__RUN__INIT;
	int r = chan_ask(&core->device[i], &PACKET(RUN, run, &body), NULL, 0, NULL, &err);

	cr_assert_eq(r, 0, "run: %s", err.msg);
}

static void seal(struct core *core)
{
	Bulkhead__Seal body = BULKHEAD__SEAL__INIT;
	int r = chan_ask(&core->ask, &PACKET(SEAL, seal, &body), NULL, 0, NULL, &err);

	cr_assert_eq(r, 0, "seal: %s", err.msg);
}

static void bring_up(struct core *core)
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

static int config_read(struct core *core, unsigned i, unsigned offset, unsigned size,
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

static int region_write(struct core *core, unsigned i, uint64_t offset, unsigned size,
	uint64_t value)
{
	Bulkhead__RegionWrite body = BULKHEAD__REGION_WRITE__INIT;

	body.offset = offset;
	body.size = size;
	body.value = value;
	return chan_ask(&core->device[i], &PACKET(REGION_WRITE, region_write, &body), NULL, 0,
		NULL, &err);
}

static uint64_t region_read(struct core *core, unsigned i, uint64_t offset, unsigned size)
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
static pid_t helper_pid(const struct core *core, unsigned i)
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

static void stop(struct core *core)
{
	Bulkhead__Stop body = BULKHEAD__STOP__INIT;
	int status, r;

	r = chan_ask(&core->ask, &PACKET(STOP, stop, &body), NULL, 0, NULL, &err);
	cr_assert_eq(r, 0, "stop: %s", err.msg);
	cr_assert_eq(waitpid(core->broker, &status, 0), core->broker);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status 0x%x", status);
}

/* Waits for the broker to end, and for its helpers, which are ours if they stayed behind. */
static void expect_gone(struct core *core)
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

TestSuite(broker, .init = needs_namespaces, .timeout = 60);

Test(broker, a_whole_life)
{
	struct core core;
	uint64_t value;

	bring_up(&core);
	cr_assert_eq(core.desc[0].config_size, 256);
	cr_assert_eq(core.desc[0].regions[0].size, 16384);
	cr_assert_eq(core.desc[0].msix.vectors, 8);
	cr_assert_eq(config_read(&core, 1, 0, 4, &value), 0);
	cr_assert_eq(value, 0x0b01fffe);
	cr_assert_eq(region_write(&core, 0, 0x10, 4, 0x12345678), 0);
	cr_assert_eq(region_read(&core, 0, 0x12, 2), 0x1234);
	cr_assert_eq(region_read(&core, 1, 0x10, 4), 0, "the other device's register changed");
	stop(&core);
}

Test(broker, accesses_that_are_not_there_are_refused)
{
	struct core core;
	uint64_t value;

	bring_up(&core);
	cr_assert_eq(config_read(&core, 0, 256, 4, &value), -EINVAL);
	cr_assert_eq(config_read(&core, 0, 2, 4, &value), -EINVAL);
	cr_assert_eq(config_read(&core, 0, 0, 3, &value), -EINVAL);
	cr_assert_eq(config_read(&core, 0, 0xfffffffc, 4, &value), -EINVAL);
	cr_assert_eq(region_write(&core, 0, 16384, 4, 0), -EINVAL);
	cr_assert_eq(region_write(&core, 0, UINT64_MAX - 3, 4, 0), -EINVAL);
	cr_assert_eq(region_write(&core, 0, 0, 16, 0), -EINVAL);
	cr_assert_eq(config_read(&core, 0, 0, 2, &value), 0, "refusing is not the end");
	stop(&core);
}

Test(broker, an_interrupt_reaches_its_eventfd)
{
	Bulkhead__MsixEnable enable = BULKHEAD__MSIX_ENABLE__INIT;
	Bulkhead__MsixArm arm = BULKHEAD__MSIX_ARM__INIT;
	Bulkhead__MsixDisable disable = BULKHEAD__MSIX_DISABLE__INIT;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct core core;
	uint64_t count = 0;

	bring_up(&core);
	arm.vector = 3;
	cr_assert_eq(chan_ask(&core.device[0], &PACKET(MSIX_ARM, msix_arm, &arm), &fd, 1, NULL,
		&err), -EINVAL, "armed although MSI-X is off");
	cr_assert_eq(chan_ask(&core.device[0], &PACKET(MSIX_ENABLE, msix_enable, &enable), NULL,
		0, NULL, &err), 0);
	cr_assert_eq(chan_ask(&core.device[0], &PACKET(MSIX_ARM, msix_arm, &arm), &fd, 1, NULL,
		&err), 0, "%s", err.msg);
	cr_assert_eq(region_write(&core, 0, 0x100, 4, 3), 0);
	cr_assert_eq(read(fd, &count, 8), 8);
	cr_assert_eq(count, 1);
	cr_assert_eq(region_write(&core, 0, 0x100, 4, 2), 0);
	cr_assert_eq(region_write(&core, 0, 0x100, 4, 8), 0);
	cr_assert_eq(chan_ask(&core.device[0], &PACKET(MSIX_DISABLE, msix_disable, &disable), NULL,
		0, NULL, &err), 0);
	cr_assert_eq(region_write(&core, 0, 0x100, 4, 3), 0);
	cr_assert_eq(read(fd, &count, 8), -1);
	stop(&core);
}

Test(broker, a_killed_helper_is_told)
{
	struct core core;
	uint64_t value;

	bring_up(&core);
	kill(helper_pid(&core, 1), SIGKILL);
	cr_assert_eq(chan_recv(&core.events, &msg, 2000, &err), 0, "%s", err.msg);
	cr_assert_eq(msg.packet->helper_gone->index, 1);
	cr_assert_str_eq(msg.packet->helper_gone->cause, "killed by signal 9 (KILL)");
	msg_done(&msg);
	cr_assert_eq(config_read(&core, 1, 0, 4, &value), -EPIPE);
	cr_assert_eq(config_read(&core, 0, 0, 4, &value), 0, "the other one lives");
	stop(&core);
}

static void tell(struct core *core, Bulkhead__Packet *packet)
{
	cr_assert_eq(chan_tell(&core->ask, packet), 0);
}

Test(broker, a_helper_is_ended_when_the_core_says_so)
{
	Bulkhead__EndHelper end = BULKHEAD__END_HELPER__INIT;
	struct core core;
	uint64_t value;

	bring_up(&core);
	tell(&core, &PACKET(END_HELPER, end_helper, &end));
	cr_assert_eq(chan_recv(&core.events, &msg, 2000, &err), 0, "%s", err.msg);
	cr_assert_eq(msg.packet->body_case, BULKHEAD__PACKET__BODY_HELPER_GONE);
	cr_assert_eq(msg.packet->helper_gone->index, 0);
	msg_done(&msg);
	cr_assert_eq(config_read(&core, 1, 0, 4, &value), 0, "the other one lives");
	stop(&core);
}

/* A device is closed, and said to be, when nobody has it any more: its helper is gone by then. */
Test(broker, a_device_is_released_after_its_helper)
{
	Bulkhead__Release release = BULKHEAD__RELEASE__INIT;
	struct core core;
	uint64_t value;
	pid_t helper;

	bring_up(&core);
	helper = helper_pid(&core, 0);
	kill(helper, SIGSTOP);
	tell(&core, &PACKET(RELEASE, release, &release));
	cr_assert_eq(chan_recv(&core.events, &msg, 2000, &err), 0, "%s", err.msg);
	cr_assert_eq(msg.packet->body_case, BULKHEAD__PACKET__BODY_HELPER_GONE);
	msg_done(&msg);
	cr_assert_eq(chan_recv(&core.events, &msg, 2000, &err), 0, "%s", err.msg);
	cr_assert_eq(msg.packet->body_case, BULKHEAD__PACKET__BODY_RELEASED);
	cr_assert(msg.packet->released->index == 0 && !msg.packet->released->held);
	msg_done(&msg);
	cr_assert(kill(helper, 0) < 0, "it is still there");
	cr_assert_eq(config_read(&core, 1, 0, 4, &value), 0, "the other one lives");
	/* Once more is answered once more, and does no harm. */
	tell(&core, &PACKET(RELEASE, release, &release));
	cr_assert_eq(chan_recv(&core.events, &msg, 2000, &err), 0, "%s", err.msg);
	msg_done(&msg);
	stop(&core);
}

Test(broker, no_such_device_to_release_ends_it)
{
	Bulkhead__Release release = BULKHEAD__RELEASE__INIT;
	struct core core;

	bring_up(&core);
	release.index = DEVICES;
	tell(&core, &PACKET(RELEASE, release, &release));
	expect_gone(&core);
}

Test(broker, a_breach_ends_the_helper)
{
	struct core core;
	uint64_t value;

	bring_up(&core);
	cr_assert_eq(frame_send(core.device[0].sock.n, "garbage", 7, NULL, 0, &(int){100}), 0);
	cr_assert_eq(chan_recv(&core.events, &msg, 2000, &err), 0, "%s", err.msg);
	cr_assert_eq(msg.packet->helper_gone->index, 0);
	cr_assert_str_eq(msg.packet->helper_gone->cause, "exited with status 1");
	msg_done(&msg);
	cr_assert_eq(config_read(&core, 1, 0, 4, &value), 0, "the other one lives");
	stop(&core);
}

Test(broker, nothing_outlives_its_core)
{
	struct core core;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	bring_up(&core);
	chan_close(&core.ask);
	expect_gone(&core);
}

Test(broker, helpers_end_with_a_killed_broker)
{
	struct core core;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	bring_up(&core);
	kill(core.broker, SIGKILL);
	expect_gone(&core);
}

Test(broker, a_stopped_helper_does_not_hold_up_the_end)
{
	struct core core;

	bring_up(&core);
	kill(helper_pid(&core, 0), SIGSTOP);
	stop(&core);
}

Test(broker, processes_hold_what_they_should)
{
	struct core core;
	char line[64];

	bring_up(&core);
	cr_assert_eq(census_fds(helper_pid(&core, 0)), 5);
	for (unsigned i = 0; i < DEVICES; i++) {
		pid_t pid = helper_pid(&core, i);

		cr_assert(census_status(pid, "CapPrm", line, sizeof(line)));
		cr_assert_str_eq(line, "0000000000000000");
		cr_assert(census_status(pid, "CapBnd", line, sizeof(line)));
		cr_assert_str_eq(line, "0000000000000000");
		cr_assert(census_status(pid, "NoNewPrivs", line, sizeof(line)));
		cr_assert_str_eq(line, "1");
		cr_assert(census_own_namespaces(pid, (const char *const[]){"user", "mnt", "pid",
			"net", "ipc", "uts", "cgroup", NULL}));
#ifndef BULKHEAD_SANITIZER
		cr_assert(census_status(pid, "Seccomp", line, sizeof(line)));
		cr_assert_str_eq(line, "2");
#endif
	}
	cr_assert(census_status(core.broker, "CapPrm", line, sizeof(line)));
	cr_assert_str_eq(line, "0000000000000000");
	/* Only root may look: it is not dumpable, and its program was not loaded in its namespace. */
	if (geteuid() == 0)
		cr_assert(census_own_namespaces(core.broker,
			(const char *const[]){"user", "mnt", "net", "ipc", "uts", "cgroup", NULL}));
	stop(&core);
}

static void expect_refusal(const char *device, int code, const char *word)
{
	const char *const devices[] = {device, NULL};
	struct core core;
	int r;

	start_broker(&core, devices);
	r = ask_start(&core);
	cr_assert_eq(r, code, "%s: %d, %s", device, r, err.msg);
	cr_assert(strstr(err.msg, word), "'%s' lacks '%s'", err.msg, word);
	chan_close(&core.ask);
	expect_gone(&core);
}

/* Neither sixteen bytes nor none: not what a core of ours sends. */
Test(broker, a_token_of_another_size_ends_it)
{
	static const char *const devices[] = {"kind=null,id=a", NULL};
	static uint8_t bytes[15];
	Bulkhead__Attach body = BULKHEAD__ATTACH__INIT;
	struct core core;

	start_broker(&core, devices);
	cr_assert_eq(ask_start(&core), 0, "%s", err.msg);
	body.vf_token = (ProtobufCBinaryData){.len = sizeof(bytes), .data = bytes};
	cr_expect_eq(chan_ask(&core.ask, &PACKET(ATTACH, attach, &body), NULL, 0, &msg, &err),
		-EPIPE);
	chan_close(&core.ask);
	chan_close(&core.events);
	cr_expect_eq(waitpid(core.broker, NULL, 0), core.broker);
}

Test(broker, devices_that_cannot_be_had_are_named)
{
	expect_refusal("kind=vfio,id=a,path=/sys/bus/pci/devices/ffff:ff:1f.7", -ENOENT,
		"bulkhead devices");
	expect_refusal("kind=vfio,id=a,path=/proc/self", -EINVAL, "not a PCI device");
	expect_refusal("kind=vfio,id=a", -ENOENT, "path=");
}

Test(broker, a_device_is_named_once)
{
	static const char *const devices[] = {"kind=null,id=x", "kind=null,id=x", NULL};
	struct core core;

	start_broker(&core, devices);
	cr_assert_eq(ask_start(&core), -EEXIST);
	cr_assert(strstr(err.msg, "twice"));
}

Test(broker, a_kind_without_a_binary_is_named)
{
	static const char *const devices[] = {"kind=nonesuch,id=x", NULL};
	Bulkhead__Attach body = BULKHEAD__ATTACH__INIT;
	struct core core;

	start_broker(&core, devices);
	cr_assert_eq(ask_start(&core), 0);
	cr_assert_eq(chan_ask(&core.ask, &PACKET(ATTACH, attach, &body), NULL, 0, NULL, &err),
		-ENOENT);
	cr_assert(strstr(err.msg, "bulkhead-nonesuch: exec: No such file"), "%s", err.msg);
	chan_close(&core.ask);
	expect_gone(&core);
}
