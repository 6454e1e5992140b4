/* SPDX-License-Identifier: Apache-2.0
 *
 * A VM with an API as those see it who watch: other clients while one waits, monitors, the reader of its
 * events; and what many lives leave in the processes that stay.
 */
#include "tests/kvm/whole_api.h"

/* ---- clients beside each other ------------------------------------------------------------------- */

/* vm.info on a connection of its own, and its state. */
static void others_see(const char *want)
{
	const int waits = api.conn;

	api.conn = connect_to(api.socket);
	EXPECT("vmm.ping", 200);
	expect_state(want);
	close(api.conn);
	api.conn = waits;
}

Test(api_watch, a_boot_that_takes_long_holds_nobody_up, .init = needs_a_vm, .timeout = 120)
{
	pid_t core;

	start_api(sleeps, sizeof(sleeps), "");
	EXPECT_WITH("vm.create", api.body, 204);
	kill(living_child_of("open", 0), SIGSTOP);
	ask(api.conn, "vm.boot", NULL);
	others_see("Created");
	kill(living_child_of("open", 0), SIGCONT);
	cr_assert_eq(hear(api.conn), 204, "%s", api.heard);
	EXPECT("vm.shutdown", 204);
	ask(api.conn, "vm.boot", NULL);
	core = await_other("core", 0);
	kill(core, SIGSTOP);
	others_see("Created");
	kill(core, SIGCONT);
	cr_assert_eq(hear(api.conn), 204, "%s", api.heard);
	expect_state("Running");
	/* A core that answers nobody. */
	kill(core, SIGSTOP);
	ask(api.conn, "vm.pause", NULL);
	others_see("Running");
	kill(core, SIGCONT);
	cr_assert_eq(hear(api.conn), 204, "%s", api.heard);
	others_see("Paused");
	quit();
}

Test(api_watch, what_is_asked_during_a_boot_waits_for_it, .init = needs_a_vm, .timeout = 60)
{
	int other;

	start_api(sleeps, sizeof(sleeps), "");
	EXPECT_WITH("vm.create", api.body, 204);
	ask(api.conn, "vm.boot", NULL);
	other = connect_to(api.socket);
	ask(other, "vm.delete", NULL);
	cr_assert_eq(hear(other), 204, "%s", api.heard);
	hear(api.conn); /* it was booted, or not, when it was deleted */
	expect_state("");
	expect_processes("api open");
	close(other);
	quit();
}

Test(api_watch, a_monitor_looks_and_changes_nothing, .init = needs_a_vm, .timeout = 60)
{
	static const char *const changes[] = {"vm.create", "vm.boot", "vm.pause", "vm.resume", "vm.reboot",
		"vm.power-button", "vm.nmi", "vm.shutdown", "vm.delete", "vm.resize", "vm.add-device",
		"vm.add-vdpa", "vm.remove-device", "vm.snapshot", "vm.restore", "vmm.shutdown"};
	char more[100], path[64];
	int operator;

	strcpy(kernel, "/tmp/bulkhead-kernel-XXXXXX");
	snprintf(path, sizeof(path), "/tmp/bulkhead-status-%d", getpid());
	snprintf(more, sizeof(more), "--status-socket path=%s", path);
	start_api(sleeps, sizeof(sleeps), more);
	create_and_boot();
	operator = api.conn;
	api.conn = connect_to(path);
	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		EXPECT(changes[i], 403);
		EXPECT_WITH(changes[i], api.body, 403);
	}
	EXPECT("vmm.ping", 200);
	EXPECT("vm.counters", 200);
	expect_state("Running");
	close(api.conn);
	api.conn = operator;
	quit();
	cr_expect(access(path, F_OK) < 0, "%s stays", path);
}

/* ---- events -------------------------------------------------------------------------------------- */

/* "vm booted, …": all there are, each whole and after the one before. */
static const char *events(void)
{
	static char list[2048];
	const char *text = text_of(api.events);
	double before = -1;

	list[0] = '\0';
	while (*text) {
		const char *source, *event, *end = strstr(text, "\n\n");
		json_int_t secs, nanos;
		json_t *one, *properties;

		cr_assert_not_null(end, "it is not whole: %s", text);
		one = json_loadb(text, (size_t)(end - text), JSON_REJECT_DUPLICATES, NULL);
		cr_assert_eq(json_unpack(one, "{s{sI sI !} ss ss so !}", "timestamp", "secs", &secs, "nanos",
			&nanos, "source", &source, "event", &event, "properties", &properties), 0, "%s",
			text);
		cr_assert((double)secs + (double)nanos / 1e9 >= before, "%s", text);
		before = (double)secs + (double)nanos / 1e9;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s %s", list[0] ? ", " : "",
			source, event);
		json_decref(one);
		text = end + 2;
	}
	return list;
}

Test(api_watch, events_come_in_order, .init = needs_a_vm, .timeout = 60)
{
	static const char want[] = "vmm starting, vm booting, vm booted, vm pausing, vm paused, vm resuming, "
		"vm resumed, vm rebooting, vm rebooted, vm shutdown, vm booting, vm booted, vm shutdown, "
		"vm deleted, vm booting, vm booted, vm shutdown, vm deleted, vmm shutdown";

	start_api(sleeps, sizeof(sleeps), "");
	create_and_boot();
	EXPECT("vm.pause", 204);
	EXPECT("vm.resume", 204);
	EXPECT("vm.reboot", 204);
	EXPECT("vm.shutdown", 204);
	EXPECT("vm.boot", 204);
	EXPECT("vm.delete", 204);
	create_and_boot();
	EXPECT("vmm.shutdown", 200);
	finish(0);
	cr_expect_str_eq(events(), want, "%s", events());
	tidy_up();
}

Test(api_watch, a_guest_that_powers_off_is_an_event, .init = needs_a_vm, .timeout = 60)
{
	start_api(says_hi, sizeof(says_hi), "");
	EXPECT_WITH("vm.create", api.body, 204);
	ask(api.conn, "vm.boot", NULL);
	finish(0);
	cr_expect_str_eq(events(), "vmm starting, vm booting, vm booted, vm shutdown, vm deleted, vmm shutdown",
		"%s", events());
	tidy_up();
}

/* ---- many lives ---------------------------------------------------------------------------------- */

static unsigned descriptors_of(pid_t pid)
{
	char path[64];
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		cr_skip_test("%s: %s (only root may look)", path, strerror(errno));
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

Test(api_watch, twenty_lives_leave_nothing, .init = needs_a_vm, .timeout = 300)
{
	static const char *const stay[] = {"api", "open"};
	unsigned before[3], after[3];

	start_api(sleeps, sizeof(sleeps), "");
	for (unsigned i = 0; i < 21; i++) {
		unsigned *const n = i ? after : before;

		create_and_boot();
		EXPECT("vm.shutdown", 204);
		EXPECT("vm.delete", 204);
		for (unsigned k = 0; k < 2; k++)
			n[k] = descriptors_of(child_of(stay[k], 0));
		n[2] = descriptors_of(run.pid);
		for (unsigned k = 0; k < 3; k++)
			cr_assert_eq(n[k], before[k], "life %u: %s has %u descriptors, not %u", i,
				k < 2 ? stay[k] : "the launcher", n[k], before[k]);
		expect_processes("api open");
		cr_assert_eq(left_behind(), 3, "life %u: %u processes", i, left_behind());
	}
	quit();
}
