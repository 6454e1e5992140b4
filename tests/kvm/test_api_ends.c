/* SPDX-License-Identifier: Apache-2.0
 *
 * A VM with an API when one of its processes is killed, when the launcher gets a signal, and when
 * everything stands still for a while.
 */
#include "tests/kvm/whole_api.h"

/* mov dx, PM1 enable; mov ax, PWRBTN_EN; out. '!' and, once the button is pressed, off. */
static const uint8_t obeys[] = {
	0x66, 0xba, 0x02, 0x06, 0x66, 0xb8, 0x00, 0x01, 0x66, 0xef, OUTB(0x3f8, '!'),
	0x66, 0xba, 0x00, 0x06, 0x66, 0xed, 0x66, 0xa9, 0x00, 0x01, 0x74, 0xf8, POWEROFF,
};

static void kill_one(const char *kind)
{
	kill(await_other(kind, 0), SIGKILL);
}

static void begin_running(void)
{
	start_api(sleeps, sizeof(sleeps), "");
	create_and_boot();
	await_printed("!");
}

/* ---- the api ------------------------------------------------------------------------------------ */

/* The next one answers on a connection of its own. */
static void replace_api(void)
{
	const pid_t old = await_other("api", 0);

	kill(old, SIGKILL);
	await_other("api", old);
	close(api.conn);
	api.conn = connect_to(api.socket);
}

Test(api_ends, an_api_that_is_killed_is_started_again_and_knows_all, .init = needs_a_vm, .timeout = 120)
{
	static char before[sizeof(api.heard)];
	pid_t core, opener;

	start_api(sleeps, sizeof(sleeps), "");
	replace_api();
	expect_state("");
	EXPECT_WITH("vm.create", api.body, 204);
	EXPECT("vm.info", 200);
	strcpy(before, api.heard);
	replace_api();
	EXPECT("vm.info", 200);
	cr_expect_str_eq(api.heard, before);
	EXPECT("vm.boot", 204);
	await_printed("!");
	core = child_of("core", 0);
	opener = child_of("open", 0);
	EXPECT("vm.pause", 204);
	EXPECT("vm.info", 200);
	strcpy(before, api.heard);
	replace_api();
	EXPECT("vm.info", 200);
	cr_expect_str_eq(api.heard, before, "«%s», not «%s»", api.heard, before);
	EXPECT("vm.resume", 204);
	cr_expect(child_of("core", 0) == core && child_of("open", 0) == opener);
	await_printed("!");
	cr_expect(strstr(run.err_text, "it is started again"), "%s", run.err_text);
	quit();
}

Test(api_ends, a_boot_goes_on_whoever_asked_for_it, .init = needs_a_vm, .timeout = 60)
{
	start_api(sleeps, sizeof(sleeps), "");
	EXPECT_WITH("vm.create", api.body, 204);
	ask(api.conn, "vm.boot", NULL);
	await_other("core", 0);
	replace_api();
	await_state_is("Running");
	await_printed("!");
	quit();
}

/* helpers/launch/rebirth.c: at least 20 times, and 100 in all. */
Test(api_ends, an_api_is_not_started_for_ever, .init = needs_a_vm, .timeout = 300)
{
	const int64_t end = now_ms() + 4 * PATIENCE_MS;
	unsigned kills = 0;
	pid_t old = 0, pid;

	begin_running();
	while (!strstr(run.err_text, "is not started again")) {
		cr_assert(now_ms() < end && kills <= 101, "%u: %s", kills, run.err_text);
		pid = child_of("api", 0);
		if (pid && pid != old) {
			kill(pid, SIGKILL);
			old = pid;
			kills++;
		}
		usleep(2000);
		read_there_is();
	}
	cr_expect_gt(kills, 20);
	expect_processes("broker core open");
	await_printed("!");
	kill(run.pid, SIGTERM);
	ends_with(0);
}

/* ---- the others --------------------------------------------------------------------------------- */

Test(api_ends, a_core_that_is_killed_ends_its_life_only, .init = needs_a_vm, .timeout = 60)
{
	begin_running();
	kill_one("core");
	await_state_is("Created");
	expect_processes("api open");
	read_until(run.err_text, "bulkhead-core was killed by signal 9 (KILL); the VM has ended");
	await_text(api.events, "\"shutdown\"");
	EXPECT("vm.boot", 204);
	await_printed("!!");
	quit();
}

/* Killed before the boot is done, as it turns out. */
static void fail_boot(const char *kind)
{
	for (unsigned tries = 0; tries < 20; tries++) {
		EXPECT_WITH("vm.create", api.body, 204);
		ask(api.conn, "vm.boot", NULL);
		kill(await_other(kind, 0), SIGKILL);
		if (hear(api.conn) == 500)
			return;
		EXPECT("vm.delete", 204);
	}
	cr_assert_fail("too late each time");
}

Test(api_ends, whoever_is_killed_during_a_boot_fails_it, .init = needs_a_vm, .timeout = 120)
{
	static const char *const kinds[] = {"core", "broker"};
	pid_t opener;

	start_api(sleeps, sizeof(sleeps), "");
	opener = await_other("open", 0);
	for (unsigned i = 0; i < 2; i++) {
		fail_boot(kinds[i]);
		expect_state("Created");
		expect_processes("api open");
		EXPECT("vm.boot", 204);
		EXPECT("vm.delete", 204);
	}
	cr_expect_eq(child_of("open", 0), opener);
	quit();
}

/* Whoever asks for an end while there is one on its way waits for it. */
Test(api_ends, a_vm_that_is_ending_can_be_ended, .init = needs_a_vm, .timeout = 120)
{
	static const char *const calls[] = {"vm.shutdown", "vm.delete", "vmm.shutdown"};
	pid_t broker;

	start_api(sleeps, sizeof(sleeps), "");
	for (unsigned i = 0; i < 3; i++) {
		EXPECT("vm.delete", 204);
		create_and_boot();
		broker = await_other("broker", 0);
		kill(broker, SIGSTOP);
		kill_one("core");
		read_until(run.err_text, "the VM has ended");
		memset(run.err_text, 0, sizeof(run.err_text));
		run.err_len = 0;
		ask(api.conn, calls[i], NULL);
		cr_expect_eq(poll(&(struct pollfd){.fd = api.conn, .events = POLLIN}, 1, 300), 0);
		kill(broker, SIGCONT);
		cr_assert_eq(hear(api.conn), i == 2 ? 200 : 204, "%s: %s", calls[i], api.heard);
		if (i < 2)
			expect_state(i ? "" : "Created");
	}
	ends_with(0);
}

Test(api_ends, without_its_broker_a_guest_goes_on, .init = needs_a_vm, .timeout = 60)
{
	begin_running();
	kill_one("broker");
	read_until(run.err_text, "bulkhead-broker was killed");
	expect_state("Running");
	EXPECT("vm.reboot", 204);
	await_printed("!!");
	EXPECT("vm.shutdown", 204);
	EXPECT("vm.boot", 204);
	expect_processes("api broker core open");
	await_printed("!!!");
	quit();
}

Test(api_ends, without_the_opener_everything_ends, .init = needs_a_vm, .timeout = 120)
{
	start_api(sleeps, sizeof(sleeps), "");
	kill_one("open");
	ends_with(1);
	cr_expect(strstr(run.err_text, "bulkhead-open was killed by signal 9 (KILL)"), "%s", run.err_text);
	begin_running();
	kill_one("open");
	ends_with(1);
	cr_expect(strstr(run.err_text, "bulkhead-open was killed by signal 9 (KILL)"), "%s", run.err_text);
	cr_expect_eq(errors(), 1, "%s", run.err_text);
}

/* Which is asked of the core so often and no more. */
static void await_info(const char *want)
{
	const int64_t end = now_ms() + PATIENCE_MS;

	do {
		usleep(50000);
		EXPECT("vm.info", 200);
		cr_assert(now_ms() < end, "no «%s»: %s", want, api.heard);
	} while (!strstr(api.heard, want));
}

Test(api_ends, a_helper_that_is_killed_fails_its_device, .init = needs_a_vm, .timeout = 60)
{
	start_running(sleeps, sizeof(sleeps), "--null");
	read_until(run.out_text, "!");
	await_state_is("Running");
	expect_processes("api broker core null open");
	kill_one("null");
	await_info("\"state\":\"failed\"");
	EXPECT("vm.shutdown", 204);
	expect_processes("api open");
	quit();
}

/* ---- signals ------------------------------------------------------------------------------------ */

Test(api_ends, sigterm_ends_everything_whatever_there_is, .init = needs_a_vm, .timeout = 120)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGQUIT, SIGTERM};

	for (unsigned i = 0; i < 4; i++) {
		start_api(sleeps, sizeof(sleeps), "");
		if (i >= 1)
			EXPECT_WITH("vm.create", api.body, 204);
		if (i >= 2)
			EXPECT("vm.boot", 204);
		if (i >= 3)
			EXPECT("vm.pause", 204);
		kill(run.pid, signals[i]);
		ends_with(0);
		cr_expect_eq(errors(), 0, "%s", run.err_text);
	}
}

/* However far it is. */
Test(api_ends, sigterm_during_a_boot_ends_everything, .init = needs_a_vm, .timeout = 240)
{
	for (unsigned i = 0; i < 12; i++) {
		start_api(sleeps, sizeof(sleeps), "");
		EXPECT_WITH("vm.create", api.body, 204);
		ask(api.conn, "vm.boot", NULL);
		usleep(i * 8000);
		kill(run.pid, SIGTERM);
		ends_with(0);
	}
}

Test(api_ends, a_guest_that_is_asked_has_its_time, .init = needs_a_vm, .timeout = 120)
{
	start_api(obeys, sizeof(obeys), "--shutdown-timeout 60");
	create_and_boot();
	await_printed("!");
	kill(run.pid, SIGTERM);
	ends_with(0);
	cr_expect(strstr(run.err_text, "the power button is pressed"), "%s", run.err_text);
	start_api(sleeps, sizeof(sleeps), "--shutdown-timeout 1");
	create_and_boot();
	await_printed("!");
	kill(run.pid, SIGTERM);
	ends_with(0);
}

/* ---- everything stands still --------------------------------------------------------------------- */

/* Longer than the launcher is given to start somebody; and than a broker, to close its devices. */
enum { START_S = 32, CLOSE_S = 12 };

/* Who is to be first to see how late it is, is. */
static void all_stand_still(unsigned seconds, pid_t first)
{
	kill(run.pid, SIGSTOP);
	to_session(SIGSTOP, false);
	sleep(seconds);
	kill(first, SIGCONT);
	usleep(300000);
	to_session(SIGCONT, false);
}

Test(api_ends, a_boot_that_stands_still_is_not_late, .init = needs_a_vm, .timeout = 180)
{
	start_api(sleeps, sizeof(sleeps), "");
	EXPECT_WITH("vm.create", api.body, 204);
	/* The opener has asked the launcher, and waits. */
	kill(run.pid, SIGSTOP);
	ask(api.conn, "vm.boot", NULL);
	usleep(300000);
	all_stand_still(START_S, child_of("open", 0));
	cr_assert_eq(hear(api.conn), 204, "%s: %s", api.heard, run.err_text);
	await_printed("!");
	EXPECT("vm.shutdown", 204);
	ask(api.conn, "vm.boot", NULL);
	all_stand_still(1, await_other("core", 0));
	cr_assert_eq(hear(api.conn), 204, "%s: %s", api.heard, run.err_text);
	await_printed("!!");
	quit();
	cr_expect_eq(errors(), 0, "%s", run.err_text);
}

/* The core has ended, and the broker is to. */
Test(api_ends, an_end_that_stands_still_is_not_late, .init = needs_a_vm, .timeout = 180)
{
	const int64_t end = now_ms() + PATIENCE_MS;

	begin_running();
	kill(await_other("broker", 0), SIGSTOP);
	ask(api.conn, "vm.shutdown", NULL);
	while (child_of("core", 0)) {
		cr_assert(now_ms() < end);
		usleep(10000);
	}
	all_stand_still(CLOSE_S, run.pid);
	cr_assert_eq(hear(api.conn), 204, "%s: %s", api.heard, run.err_text);
	expect_state("Created");
	quit();
	cr_expect(!strstr(run.err_text, "in time"), "%s", run.err_text);
}
