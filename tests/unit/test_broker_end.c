/* SPDX-License-Identifier: Apache-2.0
 *
 * How helpers, devices and the broker end, and what it refuses.
 *
 * links: tests/census.c helpers/launch/children.c helpers/launch/birth.c helpers/launch/life.c
 * links: helpers/launch/rebirth.c helpers/launch/terminal.c helpers/launch/cgroup.c helpers/opts/opts_api.c helpers/opts/opts_value.c
 * links: helpers/launch/tenant.c helpers/opts/opts_user.c
 */
#include "tests/unit/broker_process.h"

TestSuite(broker_end, .init = needs_namespaces, .timeout = 60);

static struct vm vm;

/* What the core hears from the launcher. */
static void expect_end(enum word_kind kind, unsigned slot, const char *how)
{
	struct word word = take_word(vm.core_words, WORDS_CORE, NULL, 0, ACTOR_CORE, ACTOR_BROKER);
	char text[64];

	wait_status_text(word.value, text, sizeof(text));
	cr_expect(word.op == WORD_ENDED && word.kind == kind && word.slot == slot &&
		word.generation == LIFE, "%u %u %u", word.op, word.kind, word.slot);
	cr_expect_str_eq(text, how);
}

static void expect_lives(unsigned i)
{
	uint64_t value;

	cr_expect_eq(config_read(&vm, i, 0, 4, &value), 0, "the other one lives: %s", err.msg);
}

static void expect_broker_ends(int expected)
{
	int status = reap(&vm, broker(&vm));

	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == expected, "0x%x", status);
}

Test(broker_end, a_killed_helper_is_told)
{
	uint64_t value;

	bring_up(&vm);
	kill(helper(&vm, 1)->pid, SIGKILL);
	reap(&vm, helper(&vm, 1));
	expect_end(KIND_NULL, 1, "killed by signal 9 (KILL)");
	cr_assert_eq(config_read(&vm, 1, 0, 4, &value), -EPIPE);
	expect_lives(0);
	stop(&vm);
}

static void cut(enum word_kind kind, unsigned slot, uint32_t generation)
{
	const struct word word = {.op = WORD_CUT, .kind = (uint8_t)kind, .slot = (uint8_t)slot,
		.generation = generation};

	life_word(&vm.launch, &word);
}

Test(broker_end, a_helper_is_ended_when_the_core_says_so)
{
	bring_up(&vm);
	cut(KIND_NULL, 0, LIFE);
	reap(&vm, helper(&vm, 0));
	expect_end(KIND_NULL, 0, "killed by signal 9 (KILL)");
	expect_lives(1);
	stop(&vm);
}

/* Of its helpers the core ends the one it means, and no other process. */
Test(broker_end, nobody_else_is)
{
	bring_up(&vm);
	cut(KIND_NULL, 0, LIFE + 1);
	cut(KIND_NULL, VM_SLOTS - 1, LIFE);
	cut(KIND_BROKER, 0, LIFE);
	cut(KIND_OPENER, 0, LIFE);
	cut(KIND_CORE, 0, LIFE);
	cut(KIND_LAUNCHER, 0, LIFE);
	usleep(100000);
	expect_lives(0);
	cr_expect_eq(waitpid(broker(&vm)->pid, NULL, WNOHANG), 0);
	stop(&vm);
}

/* A core that broke a rule is there, and so is the launcher; neither is needed. */
static void expect_all_end(void)
{
	for (unsigned i = 0; i < DEVICES; i++)
		reap(&vm, helper(&vm, i));
	expect_broker_ends(1);
	cr_expect_eq(chan_recv(&vm.ask, &msg, 0, &err), -EPIPE);
}

static void tell_release(unsigned slot, uint32_t generation)
{
	Bulkhead__Release release = BULKHEAD__RELEASE__INIT;

	release.slot = slot;
	release.generation = generation;
	cr_assert_eq(chan_tell(&vm.ask, &PACKET(RELEASE, release, &release)), 0);
}

/* A device is closed, and said to be, when nobody has it any more: its helper is gone by then. */
Test(broker_end, a_device_is_released_after_its_helper)
{
	pid_t pid;

	bring_up(&vm);
	pid = helper(&vm, 0)->pid;
	kill(pid, SIGSTOP);
	tell_release(0, LIFE);
	cr_assert_eq(chan_recv(&vm.events, &msg, 300, &err), -ETIMEDOUT, "its helper has it open");
	cut(KIND_NULL, 0, LIFE);
	reap(&vm, helper(&vm, 0));
	cr_assert_eq(chan_recv(&vm.events, &msg, 2000, &err), 0, "%s", err.msg);
	cr_assert_eq(msg.packet->body_case, BULKHEAD__PACKET__BODY_RELEASED);
	cr_assert(msg.packet->released->slot == 0 && msg.packet->released->generation == LIFE &&
		!msg.packet->released->held);
	msg_done(&msg);
	cr_assert(kill(pid, 0) < 0, "it is still there");
	expect_lives(1);
	stop(&vm);
}

Test(broker_end, no_such_device_to_release_ends_it)
{
	bring_up(&vm);
	tell_release(DEVICES, LIFE);
	expect_all_end();
}

/* Nor one that had the slot before, or will have it. */
Test(broker_end, no_other_generation_to_release_ends_it)
{
	bring_up(&vm);
	tell_release(0, LIFE + 1);
	expect_all_end();
}

Test(broker_end, a_breach_ends_the_helper)
{
	bring_up(&vm);
	cr_assert_eq(frame_send(vm.device[0].sock.n, "garbage", 7, NULL, 0, &(int){100}), 0);
	reap(&vm, helper(&vm, 0));
	expect_end(KIND_NULL, 0, "exited with status 1");
	expect_lives(1);
	stop(&vm);
}

static void hang_up(void)
{
	be_no_more(&vm);
	chan_close(&vm.ask);
	chan_close(&vm.events);
	for (unsigned i = 0; i < DEVICES; i++) {
		chan_close(&vm.device[i]);
		chan_close(&vm.device_events[i]);
	}
}

/* Without the launcher's help. */
Test(broker_end, nothing_outlives_its_core)
{
	bring_up(&vm);
	hang_up();
	for (unsigned i = 0; i < DEVICES; i++)
		reap(&vm, helper(&vm, i));
	expect_broker_ends(0);
}

Test(broker_end, helpers_end_with_a_killed_broker)
{
	bring_up(&vm);
	kill(broker(&vm)->pid, SIGKILL);
	reap(&vm, broker(&vm));
	for (unsigned i = 0; i < DEVICES; i++)
		reap(&vm, helper(&vm, i));
}

/* A launcher that is killed has nobody to end its children; the kernel does. */
Test(broker_end, nothing_outlives_its_launcher)
{
	int alive[2];
	char byte;
	pid_t pid;

	cr_assert_eq(pipe(alive), 0);
	pid = fork();
	if (pid == 0) {
		close(alive[0]);
		bring_up(&vm);
		cr_assert_eq(write(alive[1], "r", 1), 1);
		pause();
	}
	close(alive[1]);
	cr_assert_eq(read(alive[0], &byte, 1), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 200 && kill(-getpgrp(), 0) == 0 && poll(&(struct pollfd){.fd = alive[0]}, 1, 10) == 0; i++)
		;
	cr_assert_eq(read(alive[0], &byte, 1), 0);
}

/* Who ends with its launcher cannot know of the others, and says nothing of them. */
Test(broker_end, without_a_launcher_nothing_is_said_of_helpers)
{
	fd_owned log = {memfd_create("log", MFD_CLOEXEC)};
	char text[4096] = "";

	cr_assert(log.n >= 0 && dup2(log.n, STDERR_FILENO) == STDERR_FILENO);
	bring_up(&vm);
	fd_close(&broker(&vm)->words);
	expect_broker_ends(0);
	cr_assert_geq(pread(log.n, text, sizeof(text) - 1, 0), 0);
	cr_expect(!strstr(text, "does not end"), "%s", text);
	for (unsigned i = 0; i < DEVICES; i++)
		reap(&vm, helper(&vm, i));
}

Test(broker_end, a_stopped_helper_does_not_hold_up_the_end)
{
	bring_up(&vm);
	kill(helper(&vm, 0)->pid, SIGSTOP);
	stop(&vm);
}

/* One that never ends holds its device, and not the broker for ever. */
Test(broker_end, a_helper_that_does_not_end_does_not_hold_the_broker)
{
	int64_t began = now_ms();

	bring_up(&vm);
	kill(helper(&vm, 0)->pid, SIGSTOP);
	hang_up();
	cr_assert_eq(waitpid(broker(&vm)->pid, NULL, 0), broker(&vm)->pid);
	cr_expect_leq(now_ms() - began, 20000);
	kill(helper(&vm, 0)->pid, SIGKILL);
}

static void expect_walls(pid_t pid)
{
	char line[64];

	cr_assert(census_status(pid, "CapPrm", line, sizeof(line)));
	cr_assert_str_eq(line, "0000000000000000");
	cr_assert(census_status(pid, "CapBnd", line, sizeof(line)));
	cr_assert_str_eq(line, "0000000000000000");
	cr_assert(census_status(pid, "NoNewPrivs", line, sizeof(line)));
	cr_assert_str_eq(line, "1");
	cr_assert(census_own_namespaces(pid, (const char *const[]){"user", "mnt", "pid", "net", "ipc",
		"uts", "cgroup", NULL}));
#ifndef BULKHEAD_SANITIZER
	cr_assert(census_status(pid, "Seccomp", line, sizeof(line)));
	cr_assert_str_eq(line, "2");
#endif
}

Test(broker_end, processes_hold_what_they_should)
{
	bring_up(&vm);
	cr_assert_eq(census_fds(helper(&vm, 0)->pid), 5);
	/* Words, orders, log, two of the core's; a channel and a log a device. */
	cr_assert_eq(census_fds(broker(&vm)->pid), 5 + 2 * DEVICES);
	for (unsigned i = 0; i < DEVICES; i++)
		expect_walls(helper(&vm, i)->pid);
	expect_walls(broker(&vm)->pid);
	stop(&vm);
}

/* ---- what the broker refuses ------------------------------------------------------------------- */

/* Neither sixteen bytes nor none: not what an opener of ours sends. */
Test(broker_end, a_token_of_another_size_ends_it)
{
	static uint8_t bytes[15];
	Bulkhead__BrokerDevice body = BULKHEAD__BROKER_DEVICE__INIT;

	start_broker(&vm);
	body.generation = LIFE;
	body.kind = KIND_NULL;
	body.vf_token = (ProtobufCBinaryData){.len = sizeof(bytes), .data = bytes};
	cr_assert_eq(chan_tell(&vm.orders, &PACKET(BROKER_DEVICE, broker_device, &body)), 0);
	expect_broker_ends(1);
}

Test(broker_end, the_same_device_twice_ends_it)
{
	start_broker(&vm);
	tell_device(&vm, 0);
	tell_device(&vm, 0);
	expect_broker_ends(1);
}

/* What the core asks for before there is such a thing. */
Test(broker_end, an_attach_out_of_turn_ends_it)
{
	bring_up(&vm);
	cr_assert_eq(ask_attach(&vm, 0, LIFE), -EINVAL, "sealed, and the core knows");
	stop(&vm);
	start_broker(&vm);
	cr_assert_eq(ask_attach(&vm, 0, LIFE), -EPIPE, "no RAM yet");
	expect_broker_ends(1);
	start_broker(&vm);
	cr_assert_eq(ask_start(&vm), 0);
	cr_assert_eq(ask_attach(&vm, 0, LIFE), -EPIPE, "nobody has told of it");
	expect_broker_ends(1);
	start_broker(&vm);
	tell_device(&vm, 0);
	cr_assert_eq(ask_start(&vm), 0);
	cr_assert_eq(ask_attach(&vm, 0, LIFE + 1), -EPIPE, "another's");
	expect_broker_ends(1);
}

/* It is a refusal: the core can say so. */
Test(broker_end, a_device_whose_helper_has_ended_is_refused)
{
	start_broker(&vm);
	tell_device(&vm, 0);
	start_helper(&vm, 0);
	kill(helper(&vm, 0)->pid, SIGKILL);
	reap(&vm, helper(&vm, 0));
	cr_assert_eq(ask_start(&vm), 0);
	cr_assert_eq(ask_attach(&vm, 0, LIFE), -EPIPE);
	cr_expect(strstr(err.msg, "dev0: its helper has ended"), "%s", err.msg);
	stop(&vm);
}
