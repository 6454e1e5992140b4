/* SPDX-License-Identifier: Apache-2.0
 *
 * From boot to boot, against build/bulkhead-api: what waits for what while a VM boots, how lives end, an
 * opener and a core that do not play along, and an api that is started anew.
 */
#include "tests/unit/api_client.h"

TestSuite(api_lives, .init = api_begin, .fini = api_end, .timeout = 240);

#define KERNEL "\"payload\":{\"kernel\":\"/k\"}"

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

Test(api_lives, ping_and_info_do_not_wait_for_a_boot)
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
Test(api_lives, ping_and_info_do_not_wait_for_the_opener)
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
Test(api_lives, info_does_not_wait_for_the_core)
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

Test(api_lives, what_needs_a_guest_waits_for_the_boot)
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

Test(api_lives, a_boot_can_be_ended)
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

Test(api_lives, a_boot_that_fails_says_why_and_can_be_tried_again)
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
Test(api_lives, a_core_may_be_quicker_than_the_opener)
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
Test(api_lives, last_words_of_a_core)
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

Test(api_lives, who_asked_may_leave)
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

Test(api_lives, life_after_life)
{
	int sock = client();

	for (unsigned i = 0; i < 20; i++) {
		bring(sock, IN_PAUSED);
		EXPECT_CALL(sock, "vm.shutdown", NULL, 204);
		EXPECT_CALL(sock, "vm.boot", NULL, 204);
		EXPECT_CALL(sock, "vm.delete", NULL, 204);
	}
}

Test(api_lives, a_guest_that_switches_itself_off)
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

Test(api_lives, a_core_that_breaks_a_rule_is_heard_no_more)
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
Test(api_lives, a_core_that_names_what_is_not_its_own)
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

/* One that broke a rule for the opener; the launcher starts another by its status. */
Test(api_lives, without_its_opener_it_ends_and_not_well)
{
	int status;

	play_until(-1, 50);
	chan_close(&api.opener);
	status = api_ends();
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1, "0x%x", status);
	fd_close(&api.words);
	api_starts(true);
}

Test(api_lives, the_next_life_knows_what_the_last_did)
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
Test(api_lives, a_vm_of_the_command_line)
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
