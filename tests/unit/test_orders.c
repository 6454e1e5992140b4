/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core does with the words of launcher and opener: what counts before there is a guest and what
 * does not, and what it means that one of them hangs up, or breaks a rule. Who acts on it is a double.
 *
 * links: vmm/orders.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/trace.h"
#include "vmm/core.h"

static struct core core;
static struct fd launcher;
static struct chan opener;
static int fails; /* what the next double says */

/* ---- doubles ----------------------------------------------------------------------------------- */

static int answer(struct err *err)
{
	return fails ? err_set(err, fails, BLAME_BUG, "double") : 0;
}

int devices_dealt(struct devices *devices, struct word_msg *msg, struct err *err)
{
	cr_assert_eq(devices, &core.devices);
	traced("dealt%u ", msg->word.slot);
	return answer(err);
}

void operate_dealt(struct operate *operate, struct fd sock)
{
	cr_assert(operate == &core.operate && sock.n >= 0);
	fd_close(&sock);
	traced("api ");
}

void devices_ended(struct devices *devices, const struct word *word)
{
	cr_assert_eq(devices, &core.devices);
	traced("ended%u ", word->slot);
}

int devices_told(struct devices *devices, struct msg *msg, struct err *err)
{
	cr_assert_eq(devices, &core.devices);
	traced("told%u ", msg->packet->core_device->slot);
	return answer(err);
}

int config_take(struct config *config, struct msg *msg, struct err *err)
{
	(void)msg;
	cr_assert_eq(config, &core.config);
	traced("config ");
	return answer(err);
}

int config_take_console(struct config *config, struct msg *msg, struct err *err)
{
	(void)msg;
	cr_assert_eq(config, &core.config);
	traced("console ");
	return answer(err);
}

void vcpus_log_counts(const struct vm *vm, enum log_level level)
{
	(void)vm, (void)level;
	traced("counts ");
}

void console_is_ours(struct console *console, bool ours)
{
	(void)console;
	traced("ours%d ", ours);
}

void shutdown_ask(struct shutdown *shutdown, const char *who)
{
	(void)shutdown;
	traced("ask(%s) ", who);
}

void shutdown_now(const struct shutdown *shutdown, const char *why)
{
	(void)shutdown;
	traced("now(%.8s) ", why);
}

/* ------------------------------------------------------------------------------------------------ */

static void begin(void)
{
	struct fd words, a, b;

	cr_assert(frame_pair(&words, &launcher) == 0 && frame_pair(&a, &b) == 0);
	core.words = words.n;
	chan_init(&core.opener, a, ACTOR_CORE, ACTOR_OPENER, "opener");
	chan_init(&opener, b, ACTOR_OPENER, ACTOR_CORE, "core");
}
TestSuite(orders, .init = begin, .timeout = 20);

static void say(enum word_op op, unsigned slot, int32_t value)
{
	const struct word word = {.op = (uint8_t)op, .kind = KIND_NULL, .slot = (uint8_t)slot,
		.value = value};
	const int fd = STDIN_FILENO;

	cr_assert_eq(word_send(launcher.n, &word, &fd, op == WORD_DEAL), 0);
}

static void say_all(void)
{
	static const enum word_op ops[] = {WORD_DEAL, WORD_POWER, WORD_CUT_OFF, WORD_COUNTS, WORD_CONSOLE,
		WORD_ENDED};

	for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		say(ops[i], 7, 1);
}

Test(orders, what_is_for_the_guest_comes_once_there_is_one)
{
	say_all();
	orders_launcher(&core);
	expect("dealt7 ended7 ");
	core.runs = true;
	say_all();
	orders_launcher(&core);
	expect("dealt7 ask(signal 1) now(signal 1) counts ours1 ended7 ");
	cr_expect_eq(core.failed.code, 0);
	orders_launcher(&core);
	expect("");
}

/* With the launcher everything ends, whether the guest runs or not; and it is heard no more. */
Test(orders, a_launcher_that_is_gone)
{
	fd_close(&launcher);
	orders_launcher(&core);
	expect("");
	cr_expect(core.failed.code == -EPIPE && strstr(core.failed.msg, "launcher: it is gone"), "%s",
		core.failed.msg);
	cr_expect_eq(core.words, -1);
	begin();
	core.runs = true;
	fd_close(&launcher);
	orders_launcher(&core);
	expect("now(launcher) ");
}

Test(orders, a_word_that_is_none)
{
	core.runs = true;
	cr_assert_eq(frame_send(launcher.n, "not a word", 10, NULL, 0, &(int){100}), 0);
	say(WORD_POWER, 0, 0);
	orders_launcher(&core);
	expect("now(launcher) ");
	cr_expect_eq(core.failed.code, -EBADMSG);
}

Test(orders, channels_out_of_turn_fail_the_start)
{
	fails = -EBADMSG;
	say(WORD_DEAL, 3, 0);
	orders_launcher(&core);
	expect("dealt3 ");
	cr_expect_eq(core.failed.code, -EBADMSG);
	cr_expect_str_eq(core.failed.msg, "double");
}

/* ---- the opener -------------------------------------------------------------------------------- */

static void tell_device(unsigned slot)
{
	Bulkhead__CoreDevice body = BULKHEAD__CORE_DEVICE__INIT;

	body.slot = slot;
	cr_assert_eq(chan_tell(&opener, &PACKET(CORE_DEVICE, core_device, &body)), 0);
}

static void tell_go(unsigned devices)
{
	Bulkhead__CoreGo body = BULKHEAD__CORE_GO__INIT;

	body.devices = devices;
	cr_assert_eq(chan_tell(&opener, &PACKET(CORE_GO, core_go, &body)), 0);
}

Test(orders, all_the_opener_has_to_say)
{
	Bulkhead__CoreConsole console = BULKHEAD__CORE_CONSOLE__INIT;
	const int fd = STDIN_FILENO;

	cr_assert_eq(chan_give(&opener, &PACKET(CORE_CONSOLE, core_console, &console), &fd, 1, 0), 0);
	tell_device(0);
	tell_device(1);
	orders_opener(&core);
	expect("console told0 told1 ");
	cr_expect(!core.devices.told_all && chan_is_open(&core.opener));
	tell_go(2);
	orders_opener(&core);
	cr_expect(core.devices.told_all && core.devices.expected == 2);
	chan_close(&opener);
	orders_opener(&core);
	cr_expect(!chan_is_open(&core.opener) && core.failed.code == 0, "it has said everything");
}

/* It has ended, and said why. */
Test(orders, an_opener_that_hangs_up_before_it_has)
{
	tell_device(0);
	chan_close(&opener);
	orders_opener(&core);
	expect("told0 ");
	cr_expect(core.failed.code == -EPIPE && !chan_is_open(&core.opener));
}

/* The first thing that is wrong is what is said of it, and nothing after it is heard. */
Test(orders, what_cannot_be_ends_it)
{
	fails = -EBADMSG;
	tell_device(0);
	tell_device(1);
	orders_opener(&core);
	expect("told0 ");
	cr_expect_str_eq(core.failed.msg, "double");
	cr_expect(!chan_is_open(&core.opener));
	fails = 0;
	fd_close(&launcher);
	orders_launcher(&core);
	cr_expect_str_eq(core.failed.msg, "double");
}

Test(orders, a_message_that_is_none)
{
	cr_assert_eq(frame_send(opener.sock.n, "\xff\xff", 2, NULL, 0, &(int){100}), 0);
	orders_opener(&core);
	expect("");
	cr_expect_eq(core.failed.code, -EBADMSG);
	cr_expect(!chan_is_open(&core.opener));
}
