/* SPDX-License-Identifier: Apache-2.0
 *
 * Devices that come and go by the API, and what monitors are told, against build/bulkhead-api.
 */
#include "tests/unit/api_client.h"

static void begin(void)
{
	api_begin_with_events();
	api.ejects = true;
}

TestSuite(api_devices, .init = begin, .fini = api_end, .timeout = 240);

#define KERNEL "\"payload\":{\"kernel\":\"/k\"}"

static bool has_ended(void)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)api.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid;
}

/* Until the api has heard all that was said to it: who asks now is answered afterwards. */
static void be_heard(void)
{
	int sock = client();

	request(sock, "GET", "vmm.ping", NULL);
	while (!play_until(sock, 20) && !has_ended())
		;
	close(sock);
}

/* What was told since the last look: names, blanks between them. */
static const char *told(void)
{
	static char names[4096], bytes[65536];
	size_t len = 0;
	ssize_t n;

	be_heard();
	n = read(api.event_reader.n, bytes, sizeof(bytes) - 1);
	bytes[n > 0 ? n : 0] = '\0';
	names[0] = '\0';
	for (char *at = bytes; (at = strstr(at, "\"event\": \"")) != NULL;) {
		at += strlen("\"event\": \"");
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%.*s", len ? " " : "",
			(int)strcspn(at, "\""), at);
	}
	return names;
}

/* As the opener says, not as we have it. */
Test(api_devices, times_count_from_the_beginning)
{
	char bytes[4096] = "";
	unsigned long secs = 0;
	int sock;

	kill(api.pid, SIGKILL);
	waitpid(api.pid, NULL, 0);
	fd_close(&api.words);
	chan_close(&api.opener);
	fd_close(&api.event_reader);
	fd_close(&api.listener);
	fd_close(&api.status);
	api.began_us = (uint64_t)(now_ms() - 5000) * 1000;
	api_begin_with_events();
	sock = client();
	EXPECT_CALL(sock, "vmm.ping", NULL, 200);
	cr_assert_gt(read(api.event_reader.n, bytes, sizeof(bytes) - 1), 0);
	cr_assert_eq(sscanf(strstr(bytes, "\"secs\": "), "\"secs\": %lu", &secs), 1, "%s", bytes);
	cr_assert(secs >= 5 && secs < 60, "%s", bytes);
}

Test(api_devices, lives_are_told)
{
	int sock = client();

	EXPECT_CALL(sock, "vmm.ping", NULL, 200);
	cr_assert_str_eq(told(), "starting");
	bring(sock, IN_PAUSED);
	cr_assert_str_eq(told(), "booting booted pausing paused");
	EXPECT_CALL(sock, "vm.resume", NULL, 204);
	EXPECT_CALL(sock, "vm.reboot", NULL, 204);
	EXPECT_CALL(sock, "vm.shutdown", NULL, 204);
	cr_assert_str_eq(told(), "resuming resumed rebooting rebooted shutdown");
	EXPECT_CALL(sock, "vm.boot", NULL, 204);
	EXPECT_CALL(sock, "vm.delete", NULL, 204);
	cr_assert_str_eq(told(), "booting booted shutdown deleted");
	bring(sock, IN_CREATED);
	EXPECT_CALL(sock, "vm.delete", NULL, 204);
	cr_assert_str_eq(told(), "deleted");
	api.start_fails = "no";
	bring(sock, IN_CREATED);
	EXPECT_CALL(sock, "vm.boot", NULL, 500);
	cr_assert_str_eq(told(), "booting", "a guest that never ran is not shut down");
	api.start_fails = NULL;
	EXPECT_CALL(sock, "vm.boot", NULL, 204);
	EXPECT_CALL(sock, "vmm.shutdown", NULL, 200);
	cr_assert_str_eq(told(), "booting booted shutdown deleted shutdown");
}

Test(api_devices, an_event_to_the_byte)
{
	char bytes[4096], want[4096];
	long long secs, nanos;
	int sock = client();
	ssize_t n;

	EXPECT_CALL(sock, "vmm.ping", NULL, 200);
	n = read(api.event_reader.n, bytes, sizeof(bytes) - 1);
	cr_assert_gt(n, 0);
	bytes[n] = '\0';
	cr_assert_eq(sscanf(bytes, "{\n  \"timestamp\": {\n    \"secs\": %lld,\n    \"nanos\": %lld",
		&secs, &nanos), 2, "%s", bytes);
	snprintf(want, sizeof(want), "{\n  \"timestamp\": {\n    \"secs\": %lld,\n    \"nanos\": %lld\n"
		"  },\n  \"source\": \"vmm\",\n  \"event\": \"starting\",\n  \"properties\": null\n}\n\n",
		secs, nanos);
	cr_assert_str_eq(bytes, want);
}

/* ---- plugged and unplugged ---- */

Test(api_devices, a_device_comes_and_goes)
{
	int sock = client();

	bring(sock, IN_RUNNING);
	for (unsigned i = 0; i < 10; i++) {
		EXPECT_CALL(sock, "vm.add-device", "{\"path\":\"/sys/bus/pci/devices/0000:41:00.0\"}",
			200);
		cr_assert(strstr(body_of_answer(), "{\"id\":\"_vfio0\",\"bdf\":\"0000:00:"), "%s",
			heard);
		EXPECT_CALL(sock, "vm.info", NULL, 200);
		cr_assert(strstr(heard, "\"devices\":[{\"pci_segment\":0,\"path\":\"/sys/bus/pci/devices/"
			"0000:41:00.0\",\"x_exclude_mmap_bars\":[],\"id\":\"_vfio0\"}]"), "%s", heard);
		told();
		EXPECT_CALL(sock, "vm.remove-device", "{\"id\":\"_vfio0\"}", 204);
		cr_assert_str_eq(told(), "device-removed");
		EXPECT_CALL(sock, "vm.info", NULL, 200);
		cr_assert(strstr(heard, "\"devices\":[]"), "%s", heard);
		cr_assert(!strstr(heard, "_vfio0"), "%s", heard);
		api.n_devices = 0; /* its slot is free */
	}
}

Test(api_devices, the_bdf_is_as_kata_parses_it)
{
	int sock = client();

	bring(sock, IN_RUNNING);
	EXPECT_CALL(sock, "vm.add-device", "{\"path\":\"/a\",\"id\":\"vfio-0\"}", 200);
	cr_assert_str_eq(body_of_answer(), "{\"id\":\"vfio-0\",\"bdf\":\"0000:00:01.0\"}");
	EXPECT_CALL(sock, "vm.add-vdpa", "{\"path\":\"/dev/vhost-vdpa-0\",\"id\":\"NIC//eth0\"}", 200);
	cr_assert_str_eq(body_of_answer(), "{\"id\":\"NIC//eth0\",\"bdf\":\"0000:00:02.0\"}");
}

Test(api_devices, a_guest_that_does_not_let_go)
{
	Bulkhead__LifeOst ost = BULKHEAD__LIFE_OST__INIT;
	int sock = client();

	api.ejects = false;
	bring(sock, IN_RUNNING);
	EXPECT_CALL(sock, "vm.add-device", "{\"path\":\"/a\",\"id\":\"d\"}", 200);
	told();
	for (unsigned i = 0; i < 3; i++) {
		EXPECT_CALL(sock, "vm.remove-device", "{\"id\":\"d\"}", 204);
		EXPECT_CALL(sock, "vm.info", NULL, 200);
		cr_assert(strstr(heard, "\"id\":\"d\""), "it is there until it is gone: %s", heard);
	}
	EXPECT_CALL(sock, "vm.add-device", "{\"path\":\"/b\",\"id\":\"d\"}", 409);
	cr_assert_str_eq(body_of_answer(), "[\"Error from API\",\"The device could not be added to the "
		"VM\",\"Failed to validate config\",\"Identifier d is not unique\"]");
	ost.generation = api.generations[0];
	ost.status = 0x82;
	TELL(&api.core, LIFE_OST, life_ost, &ost);
	ost.status = OST_NONE;
	TELL(&api.core, LIFE_OST, life_ost, &ost);
	cr_assert_str_eq(told(), "device-ost device-not-ejected");
	tell_unplugged(0, UNPLUG_TAKEN);
	cr_assert_str_eq(told(), "device-removed");
	api.n_devices = 0;
	EXPECT_CALL(sock, "vm.add-device", "{\"path\":\"/b\",\"id\":\"d\"}", 200);
	told();
	tell_unplugged(0, UNPLUG_HELD);
	cr_assert_str_eq(told(), "device-held", "what is held is not called removed");
}

/* It was leaving when the VM ended: it is not there at the next boot. */
Test(api_devices, a_device_that_was_leaving_is_gone_afterwards)
{
	int sock = client();

	api.ejects = false;
	bring(sock, IN_RUNNING);
	EXPECT_CALL(sock, "vm.add-device", "{\"path\":\"/a\",\"id\":\"d\"}", 200);
	EXPECT_CALL(sock, "vm.add-device", "{\"path\":\"/b\",\"id\":\"e\"}", 200);
	EXPECT_CALL(sock, "vm.remove-device", "{\"id\":\"d\"}", 204);
	EXPECT_CALL(sock, "vm.shutdown", NULL, 204);
	EXPECT_CALL(sock, "vm.info", NULL, 200);
	cr_assert(!strstr(heard, "\"id\":\"d\"") && strstr(heard, "\"id\":\"e\""), "%s", heard);
}

Test(api_devices, a_device_that_does_not_come_up)
{
	int sock = client();

	bring(sock, IN_RUNNING);
	api.plug_fails = "/a: its reset failed; power the host off and on";
	EXPECT_CALL(sock, "vm.add-device", "{\"path\":\"/a\"}", 500);
	cr_assert_str_eq(body_of_answer(), "[\"Error from API\",\"The device could not be added to the "
		"VM\",\"/a: its reset failed; power the host off and on\"]");
	EXPECT_CALL(sock, "vm.info", NULL, 200);
	cr_assert(strstr(heard, "\"devices\":[]"), "%s", heard);
	api.plug_fails = NULL;
	api.refusal = (struct err){.code = -EACCES, .msg = "/a: outside of what --allow names"};
	EXPECT_CALL(sock, "vm.add-device", "{\"path\":\"/a\"}", 500);
	api.n_devices = 0;
	EXPECT_CALL(sock, "vm.add-device", "{\"path\":\"/a\"}", 200);
}

Test(api_devices, two_at_once_and_others_meanwhile)
{
	int sock = client(), other = client(), third = client();

	bring(sock, IN_RUNNING);
	api.never_plugs = true;
	request(sock, "PUT", "vm.add-device", "{\"path\":\"/a\",\"id\":\"a\"}");
	request(other, "PUT", "vm.add-device", "{\"path\":\"/b\",\"id\":\"b\"}");
	play_until(-1, 100);
	EXPECT_CALL(third, "vm.info", NULL, 200);
	EXPECT_CALL(third, "vm.remove-device", "{\"id\":\"a\"}", 429);
	EXPECT_CALL(third, "vm.pause", NULL, 204);
	api.never_plugs = false;
	tell_plugged(1);
	cr_assert_eq(status_of(hear(other)), 200);
	tell_plugged(0);
	cr_assert_eq(status_of(hear(sock)), 200);
}

Test(api_devices, the_vm_ends_under_a_device_that_comes)
{
	int sock = client(), other = client();

	bring(sock, IN_RUNNING);
	api.never_plugs = true;
	request(sock, "PUT", "vm.add-device", "{\"path\":\"/a\",\"id\":\"a\"}");
	play_until(-1, 50);
	EXPECT_CALL(other, "vm.shutdown", NULL, 204);
	cr_assert_eq(status_of(hear(sock)), 500);
}

Test(api_devices, by_descriptor)
{
	static const char add[] = "PUT /api/v1/vm.add-vdpa HTTP/1.1\r\nContent-Length: 10\r\n\r\n"
		"{\"id\":\"v\"}";
	fd_owned null = {open("/dev/null", O_RDWR | O_CLOEXEC)};
	int sock = client();

	bring(sock, IN_RUNNING);
	say_with(sock, add, strlen(add), &null.n, 1);
	cr_assert_eq(status_of(hear(sock)), 200, "%s", heard);
	cr_assert_eq(api.fds_seen, 1);
	EXPECT_CALL(sock, "vm.info", NULL, 200);
	cr_assert(strstr(heard, "\"vdpa\":[{\"id\":\"v\",\"pci_segment\":0,\"num_queues\":0,"
		"\"fd\":-1}]"), "%s", heard);
	EXPECT_CALL(sock, "vm.add-device", "{\"path\":\"/a\"}", 200);
}

/* ---- what becomes of devices and helpers that fail ---- */

Test(api_devices, failures_are_told)
{
	Bulkhead__LifeHelperEnded ended = BULKHEAD__LIFE_HELPER_ENDED__INIT;
	Bulkhead__LifeDeviceFailed failed = BULKHEAD__LIFE_DEVICE_FAILED__INIT;
	Bulkhead__LifeLayerMissing layer = BULKHEAD__LIFE_LAYER_MISSING__INIT;
	int sock = client();
	char bytes[8192];
	ssize_t n;

	bring(sock, IN_RUNNING);
	EXPECT_CALL(sock, "vm.add-device", "{\"path\":\"/a\",\"id\":\"a{b}\\\"c\\\\\"}", 200);
	told();
	ended.generation = failed.generation = api.generations[0];
	ended.code = CLD_KILLED;
	ended.status = 9;
	failed.cause = DEVICE_CAUSE_HELPER;
	layer.process = KIND_CORE;
	TELL(&api.core, LIFE_HELPER_ENDED, life_helper_ended, &ended);
	TELL(&api.core, LIFE_DEVICE_FAILED, life_device_failed, &failed);
	TELL(&api.core, LIFE_LAYER_MISSING, life_layer_missing, &layer);
	play_until(-1, 50);
	n = read(api.event_reader.n, bytes, sizeof(bytes) - 1);
	cr_assert_gt(n, 0);
	bytes[n] = '\0';
	cr_assert(strstr(bytes, "  \"source\": \"vm\",\n  \"event\": \"helper-ended\",\n"
		"  \"properties\": {\n    \"cause\": \"signal 9\",\n"
		"    \"id\": \"a\\u007bb\\u007d\\u0022c\\u005c\"\n  }\n}\n\n"), "%s", bytes);
	cr_assert(strstr(bytes, "\"event\": \"device-failed\",\n  \"properties\": {\n"
		"    \"cause\": \"its helper ended\",\n"), "%s", bytes);
	cr_assert(strstr(bytes, "\"source\": \"vmm\",\n  \"event\": \"layer-missing\",\n"
		"  \"properties\": {\n    \"layer\": \"user\",\n    \"process\": \"core\"\n"), "%s", bytes);
}

/* A monitor that does not read loses whole events, and nobody waits for it. */
Test(api_devices, a_monitor_that_does_not_read)
{
	static char bytes[1 << 20];
	int sock = client();
	ssize_t n, len = 0;

	cr_assert_eq(fcntl(api.event_reader.n, F_SETPIPE_SZ, 8192), 8192);
	bring(sock, IN_RUNNING);
	for (unsigned i = 0; i < 60; i++) {
		EXPECT_CALL(sock, "vm.pause", NULL, 204);
		EXPECT_CALL(sock, "vm.resume", NULL, 204);
	}
	while ((n = read(api.event_reader.n, bytes + len, sizeof(bytes) - 1 - (size_t)len)) > 0)
		len += n;
	bytes[len] = '\0';
	cr_assert(len > 3000 && len <= 8192, "%zd", len);
	for (char *at = bytes, *end; *at; at = end + 2) {
		end = strstr(at, "\n\n");
		cr_assert(end && strncmp(at, "{\n  \"timestamp\"", 14) == 0 && end[-1] == '}',
			"not whole: %.200s", at);
	}
	EXPECT_CALL(sock, "vm.pause", NULL, 204);
	cr_assert_str_eq(told(), "pausing paused");
}

Test(api_devices, a_monitor_that_has_gone)
{
	int sock = client();

	fd_close(&api.event_reader);
	bring(sock, IN_PAUSED);
	EXPECT_CALL(sock, "vmm.ping", NULL, 200);
}

Test(api_devices, counters)
{
	int sock = client();

	EXPECT_CALL(sock, "vm.create", "{" KERNEL ",\"devices\":[{\"path\":\"/p\"}]}", 204);
	EXPECT_CALL(sock, "vm.boot", NULL, 204);
	EXPECT_CALL(sock, "vm.counters", NULL, 200);
	cr_assert_str_eq(body_of_answer(), "{\"__vcpus\":{\"exits\":1234},\"_vfio0\":{\"asks\":5,"
		"\"waited_ms\":6}}");
}

Test(api_devices, info_has_threads_and_bars)
{
	int sock = client();

	EXPECT_CALL(sock, "vm.create", "{" KERNEL ",\"devices\":[{\"path\":\"/p\"}]}", 204);
	EXPECT_CALL(sock, "vm.boot", NULL, 204);
	api.memory = 12345;
	EXPECT_CALL(sock, "vm.info", NULL, 200);
	cr_assert(strstr(heard, ",\"state\":\"Running\",\"memory_actual_size\":12345,\"device_tree\":{"
		"\"_vfio0\":{\"id\":\"_vfio0\",\"resources\":[{\"PciBar\":{\"index\":0,"
		"\"base\":4261412864,\"size\":16384,\"type_\":\"Mmio32\",\"prefetchable\":false}}],"
		"\"children\":[],\"pci_bdf\":\"0000:00:01.0\",\"state\":\"here\"}},"
		"\"vcpu_tids\":[77,78]}"), "%s", heard);
}

Test(api_devices, the_terminal_a_client_is_to_open)
{
	int sock = client();

	api.serial_pty = "/dev/pts/7";
	EXPECT_CALL(sock, "vm.create", "{" KERNEL ",\"serial\":{\"mode\":\"Pty\"},"
		"\"console\":{\"mode\":\"Pty\"}}", 204);
	EXPECT_CALL(sock, "vm.info", NULL, 200);
	cr_assert(strstr(heard, "\"serial\":{\"mode\":\"Pty\",\"file\":\"/dev/pts/7\"}") ||
		strstr(heard, "\"serial\":{\"file\":\"/dev/pts/7\",\"mode\":\"Pty\"}"), "%s", heard);
	api.serial_pty = "/dev/pts/8";
	EXPECT_CALL(sock, "vm.boot", NULL, 204);
	EXPECT_CALL(sock, "vm.info", NULL, 200);
	cr_assert(strstr(heard, "/dev/pts/8") && !strstr(heard, "/dev/pts/7"), "%s", heard);
}
