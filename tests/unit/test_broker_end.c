/* SPDX-License-Identifier: Apache-2.0
 *
 * How helpers, devices and the broker end, and what it refuses.
 *
 * links: tests/census.c
 */
#include "tests/unit/broker_process.h"

TestSuite(broker_end, .init = needs_namespaces, .timeout = 60);

Test(broker_end, a_killed_helper_is_told)
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

Test(broker_end, a_helper_is_ended_when_the_core_says_so)
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
Test(broker_end, a_device_is_released_after_its_helper)
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

Test(broker_end, no_such_device_to_release_ends_it)
{
	Bulkhead__Release release = BULKHEAD__RELEASE__INIT;
	struct core core;

	bring_up(&core);
	release.index = DEVICES;
	tell(&core, &PACKET(RELEASE, release, &release));
	expect_gone(&core);
}

Test(broker_end, a_breach_ends_the_helper)
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

Test(broker_end, nothing_outlives_its_core)
{
	struct core core;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	bring_up(&core);
	chan_close(&core.ask);
	expect_gone(&core);
}

Test(broker_end, helpers_end_with_a_killed_broker)
{
	struct core core;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	bring_up(&core);
	kill(core.broker, SIGKILL);
	expect_gone(&core);
}

Test(broker_end, a_stopped_helper_does_not_hold_up_the_end)
{
	struct core core;

	bring_up(&core);
	kill(helper_pid(&core, 0), SIGSTOP);
	stop(&core);
}

Test(broker_end, processes_hold_what_they_should)
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
Test(broker_end, a_token_of_another_size_ends_it)
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

Test(broker_end, devices_that_cannot_be_had_are_named)
{
	expect_refusal("kind=vfio,id=a,path=/sys/bus/pci/devices/ffff:ff:1f.7", -ENOENT,
		"bulkhead devices");
	expect_refusal("kind=vfio,id=a,path=/proc/self", -EINVAL, "not a PCI device");
	expect_refusal("kind=vfio,id=a", -ENOENT, "path=");
}

Test(broker_end, a_device_is_named_once)
{
	static const char *const devices[] = {"kind=null,id=x", "kind=null,id=x", NULL};
	struct core core;

	start_broker(&core, devices);
	cr_assert_eq(ask_start(&core), -EEXIST);
	cr_assert(strstr(err.msg, "twice"));
}

Test(broker_end, a_kind_without_a_binary_is_named)
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
