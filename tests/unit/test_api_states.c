/* SPDX-License-Identifier: Apache-2.0
 *
 * Every call in every state of the VM, against build/bulkhead-api; what vm.info says afterwards, and
 * which events are told. Then what happens while the VM boots, and when opener or core do not play
 * along.
 */
#include "tests/unit/api_process.h"

TestSuite(api_states, .init = api_begin, .fini = api_end, .timeout = 60);

#define NOT_CREATED "VM is not created"
#define ALREADY "VM is already created"
#define NOT_RUNNING "VM is not running"
#define KERNEL "\"payload\":{\"kernel\":\"/k\"}"

struct cell {
	int status;
	const char *words; /* the last of an error's, or a piece of it; NULL: any */
	const char *state; /* vm.info afterwards; NULL: there is no VM */
};

/* Columns: nothing, created, running, paused. */
static const struct row {
	const char *call, *body;
	struct cell cells[TEST_STATES];
} rows[] = {
	{"vmm.ping", NULL, {{200, NULL, NULL}, {200, NULL, "Created"}, {200, NULL, "Running"},
		{200, NULL, "Paused"}}},
	{"vm.create", "{" KERNEL "}", {{204, NULL, "Created"}, {500, ALREADY, "Created"},
		{500, ALREADY, "Running"}, {500, ALREADY, "Paused"}}},
	{"vm.boot", NULL, {{404, "VM config is missing", NULL}, {204, NULL, "Running"},
		{500, ALREADY, "Running"}, {500, ALREADY, "Paused"}}},
	{"vm.info", NULL, {{404, NOT_CREATED, NULL}, {200, NULL, "Created"},
		{200, NULL, "Running"}, {200, NULL, "Paused"}}},
	{"vm.counters", NULL, {{500, NOT_RUNNING, NULL}, {500, NOT_RUNNING, "Created"},
		{200, NULL, "Running"}, {200, NULL, "Paused"}}},
	{"vm.add-device", "{\"path\":\"/p\"}", {{404, NOT_CREATED, NULL}, {204, NULL, "Created"},
		{200, NULL, "Running"}, {200, NULL, "Paused"}}},
	{"vm.add-vdpa", "{\"path\":\"/p\"}", {{404, NOT_CREATED, NULL}, {204, NULL, "Created"},
		{200, NULL, "Running"}, {200, NULL, "Paused"}}},
	{"vm.add-disk", "{\"path\":\"/p\"}", {{404, NOT_CREATED, NULL},
		{500, "no virtio disks", "Created"}, {500, "no virtio disks", "Running"},
		{500, "no virtio disks", "Paused"}}},
	{"vm.add-net", "{}", {{404, NOT_CREATED, NULL}, {500, "no virtio NICs", "Created"},
		{500, "no virtio NICs", "Running"}, {500, "no virtio NICs", "Paused"}}},
	{"vm.add-fs", "{\"tag\":\"t\",\"socket\":\"/s\"}", {{404, NOT_CREATED, NULL},
		{500, "no shared folders", "Created"}, {500, "no shared folders", "Running"},
		{500, "no shared folders", "Paused"}}},
	{"vm.add-pmem", "{\"file\":\"/f\"}", {{404, NOT_CREATED, NULL},
		{500, "no persistent memory", "Created"}, {500, "no persistent memory", "Running"},
		{500, "no persistent memory", "Paused"}}},
	{"vm.add-vsock", "{\"cid\":3,\"socket\":\"/s\"}", {{404, NOT_CREATED, NULL},
		{500, "no vsock", "Created"}, {500, "no vsock", "Running"},
		{500, "no vsock", "Paused"}}},
	{"vm.add-user-device", "{\"socket\":\"/s\"}", {{404, NOT_CREATED, NULL},
		{500, "no vfio-user devices", "Created"}, {500, "no vfio-user devices", "Running"},
		{500, "no vfio-user devices", "Paused"}}},
	{"vm.add-generic-vhost-user", "{\"socket\":\"/s\",\"queue_sizes\":[1],\"device_type\":2}",
		{{404, NOT_CREATED, NULL}, {500, "no vhost-user devices", "Created"},
		{500, "no vhost-user devices", "Running"},
		{500, "no vhost-user devices", "Paused"}}},
	{"vm.remove-device", "{\"id\":\"x\"}", {{404, NOT_CREATED, NULL},
		{404, "No device with id \\\"x\\\" to remove", "Created"},
		{404, "Failed to find device corresponding to the given identifier: x", "Running"},
		{404, "Failed to find device corresponding to the given identifier: x", "Paused"}}},
	{"vm.resize", "{\"desired_vcpus\":2}", {{404, NOT_CREATED, NULL}, {204, NULL, "Created"},
		{500, "vCPUs and memory of a VM that runs", "Running"},
		{500, "vCPUs and memory of a VM that runs", "Paused"}}},
	{"vm.resize", "{\"desired_vcpus\":1,\"desired_ram\":536870912,\"desired_balloon\":0}",
		{{404, NOT_CREATED, NULL}, {204, NULL, "Created"}, {204, NULL, "Running"},
		{204, NULL, "Paused"}}},
	{"vm.resize-zone", "{\"id\":\"z\",\"desired_ram\":1}", {{404, NOT_CREATED, NULL},
		{500, "Failed resizing a memory zone", "Created"},
		{500, "Failed resizing a memory zone", "Running"},
		{500, "Failed resizing a memory zone", "Paused"}}},
	{"vm.resize-disk", "{\"id\":\"d\",\"desired_size\":1}", {{404, NOT_CREATED, NULL},
		{500, "Failed resizing a disk image", "Created"},
		{500, "Failed resizing a disk image", "Running"},
		{500, "Failed resizing a disk image", "Paused"}}},
	{"vm.pause", NULL, {{500, NOT_RUNNING, NULL}, {500, NOT_RUNNING, "Created"},
		{204, NULL, "Paused"},
		{500, "Invalid transition: InvalidStateTransition(Paused, Paused)", "Paused"}}},
	{"vm.resume", NULL, {{500, NOT_RUNNING, NULL}, {500, NOT_RUNNING, "Created"},
		{500, "Invalid transition: InvalidStateTransition(Running, Running)", "Running"},
		{204, NULL, "Running"}}},
	{"vm.shutdown", NULL, {{500, NOT_RUNNING, NULL}, {500, NOT_RUNNING, "Created"},
		{204, NULL, "Created"}, {204, NULL, "Created"}}},
	{"vm.reboot", NULL, {{404, NOT_CREATED, NULL}, {404, NOT_CREATED, "Created"},
		{204, NULL, "Running"}, {204, NULL, "Running"}}},
	{"vm.delete", NULL, {{204, NULL, NULL}, {204, NULL, NULL}, {204, NULL, NULL},
		{204, NULL, NULL}}},
	{"vm.power-button", NULL, {{500, NOT_RUNNING, NULL}, {500, NOT_RUNNING, "Created"},
		{204, NULL, "Running"}, {204, NULL, "Paused"}}},
	{"vm.nmi", NULL, {{500, NOT_RUNNING, NULL}, {500, NOT_RUNNING, "Created"},
		{204, NULL, "Running"}, {204, NULL, "Paused"}}},
	{"vm.snapshot", "{\"destination_url\":\"file:///d\"}", {{500, NOT_RUNNING, NULL},
		{500, NOT_RUNNING, "Created"}, {500, "there are no snapshots", "Running"},
		{500, "there are no snapshots", "Paused"}}},
	{"vm.restore", "{\"source_url\":\"file:///d\"}", {{500, "there are no snapshots", NULL},
		{500, ALREADY, "Created"}, {500, ALREADY, "Running"}, {500, ALREADY, "Paused"}}},
	{"vm.send-migration", "{\"destination_url\":\"unix:/s\"}", {{500, NOT_RUNNING, NULL},
		{500, NOT_RUNNING, "Created"}, {500, "there is no migration", "Running"},
		{500, "there is no migration", "Paused"}}},
	{"vm.receive-migration", "{\"receiver_url\":\"unix:/s\"}",
		{{500, "there is no migration", NULL}, {500, "there is no migration", "Created"},
		{500, ALREADY, "Running"}, {500, ALREADY, "Paused"}}},
	{"vm.coredump", "{\"destination_url\":\"file:///d\"}", {{404, "Not Found", NULL},
		{404, "Not Found", "Created"}, {404, "Not Found", "Running"},
		{404, "Not Found", "Paused"}}},
};

static void check_cell(int sock, const struct row *row, unsigned state)
{
	const struct cell *cell = &row->cells[state];
	int status = call(sock, row->call, row->body);
	char want[64];

	cr_expect_eq(status, cell->status, "%s in state %u: %s", row->call, state, heard);
	cr_expect(!cell->words || strstr(heard, cell->words), "%s in state %u: %s", row->call, state,
		heard);
	cr_expect(status < 400 || (body_of_answer()[0] == '[' && strstr(heard, "\"]")),
		"%s in state %u: %s", row->call, state, heard);
	status = call(sock, "vm.info", NULL);
	snprintf(want, sizeof(want), "\"state\":\"%s\"", cell->state);
	cr_expect(cell->state ? strstr(heard, want) != NULL : status == 404, "%s in state %u: %s",
		row->call, state, heard);
}

static void check_states(unsigned state)
{
	int sock = client();

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bring(sock, (enum test_state)state);
		check_cell(sock, &rows[i], state);
		EXPECT_CALL(sock, "vm.delete", NULL, 204);
	}
}

Test(api_states, nothing_there)
{
	check_states(IN_NOTHING);
}

Test(api_states, created)
{
	check_states(IN_CREATED);
}

Test(api_states, running)
{
	check_states(IN_RUNNING);
}

Test(api_states, paused)
{
	check_states(IN_PAUSED);
}

/* ends_in each state with its answer first. */
Test(api_states, everything_ends_in_each_state)
{
	for (unsigned state = 0; state < TEST_STATES; state++) {
		int sock = client(), status;

		bring(sock, (enum test_state)state);
		EXPECT_CALL(sock, "vmm.shutdown", NULL, 200);
		cr_assert(hung_up(sock));
		status = api_ends();
		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", status);
		api.life = VM_LIFE_NOTHING;
		core_ends();
		chan_close(&api.opener);
		fd_close(&api.words);
		close(sock);
		api_starts(true);
	}
}

/* ---- while the VM boots, which may take minutes ---- */

static int booting(void)
{
	int sock = client();

	bring(sock, IN_CREATED);
	api.never_starts = true;
	request(sock, "PUT", "vm.boot", NULL);
	play_until(sock, 300);
	return sock;
}

Test(api_states, ping_and_info_do_not_wait_for_a_boot)
{
	int sock = booting(), other = client();

	for (unsigned i = 0; i < 3; i++) {
		EXPECT_CALL(other, "vmm.ping", NULL, 200);
		EXPECT_CALL(other, "vm.info", NULL, 200);
		cr_assert(strstr(heard, "\"state\":\"Created\""), "%s", heard);
		EXPECT_CALL(other, "vm.create", "{}", 500);
		EXPECT_CALL(other, "vm.boot", NULL, 500);
	}
	core_starts();
	cr_assert_eq(status_of(hear(sock)), 204);
	EXPECT_CALL(other, "vm.info", NULL, 200);
	cr_assert(strstr(heard, "\"state\":\"Running\""), "%s", heard);
}

/* Nor for an opener that has not said a word. */
Test(api_states, ping_and_info_do_not_wait_for_the_opener)
{
	int sock = client(), other = client();

	bring(sock, IN_CREATED);
	api.holds_opener = true;
	request(sock, "PUT", "vm.boot", NULL);
	EXPECT_CALL(other, "vmm.ping", NULL, 200);
	EXPECT_CALL(other, "vm.info", NULL, 200);
	request(other, "PUT", "vm.delete", NULL);
	cr_assert_not(play_until(other, 200), "one ask at a time");
	api.holds_opener = false;
	cr_assert_eq(status_of(hear(sock)), 204);
	cr_assert_eq(status_of(hear(other)), 204);
}

/* Nor for a core that parks its vCPUs, or hangs: the last that was known, within a second. */
Test(api_states, info_does_not_wait_for_the_core)
{
	int sock = client(), other = client();
	int64_t start;

	bring(sock, IN_RUNNING);
	api.holds_core = true;
	start = now_ms();
	EXPECT_CALL(other, "vm.info", NULL, 200);
	cr_assert_lt(now_ms() - start, 900);
	request(sock, "PUT", "vm.pause", NULL);
	EXPECT_CALL(other, "vm.info", NULL, 200);
	cr_assert(strstr(heard, "\"state\":\"Running\""), "%s", heard);
	EXPECT_CALL(other, "vm.shutdown", NULL, 204);
	cr_assert_eq(status_of(hear(sock)), 500, "the core it asked has ended: %s", heard);
}

Test(api_states, what_needs_a_guest_waits_for_the_boot)
{
	int sock = booting(), other = client(), third = client();

	request(other, "PUT", "vm.pause", NULL);
	request(third, "PUT", "vm.add-device", "{\"path\":\"/p\"}");
	cr_assert_not(play_until(other, 100));
	cr_assert_not(play_until(third, 100));
	core_starts();
	cr_assert_eq(status_of(hear(sock)), 204);
	cr_assert_eq(status_of(hear(other)), 204);
	cr_assert_eq(status_of(hear(third)), 200);
}

Test(api_states, a_boot_can_be_ended)
{
	static const char *const ends[] = {"vm.shutdown", "vm.delete"};

	for (unsigned i = 0; i < 2; i++) {
		int sock = booting(), other = client();

		EXPECT_CALL(other, ends[i], NULL, 204);
		cr_assert_eq(status_of(hear(sock)), 500);
		cr_assert(strstr(heard, "\"The VM could not boot\",\"it ended before the guest ran"),
			"%s", heard);
		EXPECT_CALL(sock, "vm.delete", NULL, 204);
		close(sock);
		close(other);
	}
}

Test(api_states, a_boot_that_fails_says_why_and_can_be_tried_again)
{
	int sock = client();

	bring(sock, IN_CREATED);
	api.start_fails = "/p: the device is in use; end who uses it";
	EXPECT_CALL(sock, "vm.boot", NULL, 500);
	cr_assert_str_eq(body_of_answer(), "[\"Error from API\",\"The VM could not boot\","
		"\"/p: the device is in use; end who uses it\"]");
	api.start_fails = NULL;
	api.refusal = (struct err){.code = -ENOENT, .msg = "/k: not there"};
	EXPECT_CALL(sock, "vm.boot", NULL, 404);
	EXPECT_CALL(sock, "vm.boot", NULL, 204);
}

/* What the core says waits until the opener has said that there is one. */
Test(api_states, a_core_may_be_quicker_than_the_opener)
{
	int sock = client();

	api.core_is_quick = true;
	for (unsigned i = 0; i < 3; i++) {
		bring(sock, IN_RUNNING);
		EXPECT_CALL(sock, "vm.info", NULL, 200);
		cr_assert(strstr(heard, "\"state\":\"Running\""), "%s", heard);
		EXPECT_CALL(sock, "vm.delete", NULL, 204);
	}
}

/* Both have spoken before the api looks: what the core said last is heard all the same. */
Test(api_states, last_words_of_a_core)
{
	Bulkhead__LifeFailed failed = BULKHEAD__LIFE_FAILED__INIT;
	int sock = client();

	api.never_starts = true;
	bring(sock, IN_CREATED);
	request(sock, "PUT", "vm.boot", NULL);
	cr_assert_not(play_until(sock, 100));
	kill(api.pid, SIGSTOP);
	failed.why = (char *)(uintptr_t)"the kernel is a cake";
	TELL(&api.core, LIFE_FAILED, life_failed, &failed);
	core_ends();
	tell_life(VM_LIFE_CREATED);
	kill(api.pid, SIGCONT);
	cr_assert_eq(status_of(hear(sock)), 500);
	cr_assert(strstr(heard, "the kernel is a cake"), "%s", heard);
}

Test(api_states, who_asked_may_leave)
{
	int sock = booting(), other = client();

	close(sock);
	play_until(-1, 50);
	core_starts();
	play_until(-1, 50);
	EXPECT_CALL(other, "vm.info", NULL, 200);
	cr_assert(strstr(heard, "\"state\":\"Running\""), "%s", heard);
	request(other, "PUT", "vm.delete", NULL);
	close(other);
	play_until(-1, 100);
	other = client();
	EXPECT_CALL(other, "vm.info", NULL, 404);
}

/* ---- lives ---- */

Test(api_states, life_after_life)
{
	int sock = client();

	for (unsigned i = 0; i < 20; i++) {
		bring(sock, IN_PAUSED);
		EXPECT_CALL(sock, "vm.shutdown", NULL, 204);
		EXPECT_CALL(sock, "vm.boot", NULL, 204);
		EXPECT_CALL(sock, "vm.delete", NULL, 204);
	}
}

Test(api_states, a_guest_that_switches_itself_off)
{
	int sock = client();

	bring(sock, IN_RUNNING);
	core_ends();
	tell_life(VM_LIFE_CREATED);
	play_until(-1, 100);
	EXPECT_CALL(sock, "vm.info", NULL, 200);
	cr_assert(strstr(heard, "\"state\":\"Created\""), "%s", heard);
	EXPECT_CALL(sock, "vm.boot", NULL, 204);
	core_ends();
	tell_life(VM_LIFE_OVER);
	cr_assert(hung_up(sock));
}

Test(api_states, a_core_that_breaks_a_rule_is_heard_no_more)
{
	int sock = client();

	bring(sock, IN_RUNNING);
	api.holds_core = true;
	cr_assert_eq(frame_send(api.core.sock.n, "nonsense", 8, NULL, 0, &(int){100}), 0);
	play_until(-1, 100);
	EXPECT_CALL(sock, "vm.pause", NULL, 500);
	EXPECT_CALL(sock, "vmm.ping", NULL, 200);
	EXPECT_CALL(sock, "vm.info", NULL, 200);
	EXPECT_CALL(sock, "vm.delete", NULL, 204);
	api.holds_core = false;
	bring(sock, IN_RUNNING);
}

/* A core says what it likes of slots, and nothing comes of it but for those it was given. */
Test(api_states, a_core_that_names_what_is_not_its_own)
{
	Bulkhead__LifePlugged plugged = BULKHEAD__LIFE_PLUGGED__INIT;
	Bulkhead__LifeUnplugged unplugged = BULKHEAD__LIFE_UNPLUGGED__INIT;
	Bulkhead__LifeOst ost = BULKHEAD__LIFE_OST__INIT;
	int sock = client();

	EXPECT_CALL(sock, "vm.create", "{" KERNEL ",\"devices\":[{\"path\":\"/p\",\"id\":\"a\"}]}",
		204);
	EXPECT_CALL(sock, "vm.boot", NULL, 204);
	for (unsigned slot = 0; slot < 300; slot += 7) {
		plugged.slot = unplugged.slot = ost.slot = slot;
		plugged.generation = unplugged.generation = ost.generation = 1000 + slot;
		TELL(&api.core, LIFE_PLUGGED, life_plugged, &plugged);
		TELL(&api.core, LIFE_UNPLUGGED, life_unplugged, &unplugged);
		TELL(&api.core, LIFE_OST, life_ost, &ost);
		play_until(-1, 2);
	}
	EXPECT_CALL(sock, "vm.info", NULL, 200);
	cr_assert(strstr(heard, "\"devices\":[{\"id\":\"a\""), "%s", heard);
	cr_assert(strstr(heard, "\"device_tree\":{\"a\":{\"id\":\"a\""), "%s", heard);
}

/* ---- the api itself is started anew ---- */

static void api_again(void)
{
	kill(api.pid, SIGKILL);
	waitpid(api.pid, NULL, 0);
	fd_close(&api.words);
	chan_close(&api.opener);
	chan_close(&api.core);
	api_starts(true);
	if (api.life == VM_LIFE_LIVE)
		core_begins();
}

Test(api_states, the_next_life_knows_what_the_last_did)
{
	static const enum test_state states[] = {IN_CREATED, IN_RUNNING, IN_PAUSED};
	static const char *const names[] = {"Created", "Running", "Paused"};
	char want[40];

	for (unsigned i = 0; i < 3; i++) {
		int sock = client();

		EXPECT_CALL(sock, "vm.create", "{" KERNEL ",\"cpus\":{\"boot_vcpus\":2,\"max_vcpus\":7},"
			"\"memory\":{\"size\":67108864,\"hotplug_size\":99}}", 204);
		if (states[i] != IN_CREATED)
			EXPECT_CALL(sock, "vm.boot", NULL, 204);
		if (states[i] == IN_PAUSED)
			EXPECT_CALL(sock, "vm.pause", NULL, 204);
		api_again();
		sock = client();
		EXPECT_CALL(sock, "vm.info", NULL, 200);
		snprintf(want, sizeof(want), "\"state\":\"%s\"", names[i]);
		cr_expect(strstr(heard, want), "%s", heard);
		cr_expect(strstr(heard, "\"boot_vcpus\":2,\"max_vcpus\":7"), "%s", heard);
		cr_expect(strstr(heard, "\"hotplug_size\":99"), "%s", heard);
		cr_expect(strstr(heard, "\"mode\":\"Tty\""), "as the opener says: %s", heard);
		EXPECT_CALL(sock, "vm.delete", NULL, 204);
	}
}

/* A VM of the command line: the opener has a configuration, and nobody any notes. */
Test(api_states, a_vm_of_the_command_line)
{
	int sock;

	play_until(-1, 50);
	api.life = VM_LIFE_LIVE;
	api.notes_len = 0;
	api.started = true;
	api_again();
	sock = client();
	EXPECT_CALL(sock, "vm.pause", NULL, 204);
	EXPECT_CALL(sock, "vm.info", NULL, 200);
	cr_assert(strstr(heard, "\"state\":\"Paused\""), "%s", heard);
	cr_assert(strstr(heard, "\"cpus\":{\"boot_vcpus\":2,\"max_vcpus\":2,"), "%s", heard);
	cr_assert(strstr(heard, "\"payload\":{\"kernel\":\"/k\"}"), "%s", heard);
	EXPECT_CALL(sock, "vm.shutdown", NULL, 204);
	EXPECT_CALL(sock, "vm.boot", NULL, 204);
}

/* Two hundred calls, whatever the state: each is answered, and the process is there at the end. */
Test(api_states, random_calls)
{
	int socks[4];

	srandom(20241101);
	api.ejects = true;
	for (unsigned i = 0; i < 4; i++)
		socks[i] = client();
	for (unsigned i = 0; i < 1000; i++) {
		const struct row *row = &rows[(size_t)random() % (sizeof(rows) / sizeof(rows[0]))];

		api.refusal.code = random() % 10 ? 0 : -EIO;
		call(socks[random() % 4], row->call, row->body);
	}
	EXPECT_CALL(socks[0], "vm.delete", NULL, 204);
}
