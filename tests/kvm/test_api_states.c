/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole program with an API and tiny guests: what every call does in every state, one life after
 * another in the same launcher, what a guest does to itself, and what a VM is not booted of.
 */
#include <sys/un.h>

#include "tests/kvm/whole_api.h"

/* mov dx, PM1 enable; mov ax, PWRBTN_EN; out. '!' and, once the button is pressed, off. */
static const uint8_t obeys[] = {
	0x66, 0xba, 0x02, 0x06, 0x66, 0xb8, 0x00, 0x01, 0x66, 0xef, OUTB(0x3f8, '!'),
	0x66, 0xba, 0x00, 0x06, 0x66, 0xed, 0x66, 0xa9, 0x00, 0x01, 0x74, 0xf8, POWEROFF,
};
/* Exits all the time. */
static const uint8_t knocks[] = {
	OUTB(0x3f8, '!'), 0x66, 0xba, 0x80, 0x00, 0xee, 0xeb, 0xfd, /* mov dx, 0x80; out; jmp */
};

enum { BOOTS = 0x300000 };

/* Its first boot ends by a triple fault: there is no IDT (ud2). The second stays. */
static const uint8_t faults_once[] = {
	OUTB(0x3f8, 'f'),
	0xff, 0x05, LE32(BOOTS), 0x83, 0x3d, LE32(BOOTS), 0x02, 0x74, 2, /* inc; cmp 2; je over */
	0x0f, 0x0b,
	OUTB(0x3f8, '!'), 0xf4, 0xeb, 0xfd,
};

/* ---- states ------------------------------------------------------------------------------------- */

enum { NOTHING, CREATED, RUNNING, PAUSED, STATES };

static void bring_to(unsigned to)
{
	EXPECT("vm.delete", 204);
	if (to >= CREATED)
		EXPECT_WITH("vm.create", api.body, 204);
	if (to >= RUNNING)
		EXPECT("vm.boot", 204);
	if (to >= PAUSED)
		EXPECT("vm.pause", 204);
}

/* docs/api.md, "Calls"; and where it leads. */
Test(api_states, every_call_in_every_state, .init = needs_a_vm, .timeout = 300)
{
	static const char *const names[STATES] = {"", "Created", "Running", "Paused"};
	static const struct {
		const char *call;
		struct {
			int status;
			unsigned to;
		} in[STATES];
	} rows[] = {
		{"vmm.ping", {{200, NOTHING}, {200, CREATED}, {200, RUNNING}, {200, PAUSED}}},
		{"vm.create", {{204, CREATED}, {500, CREATED}, {500, RUNNING}, {500, PAUSED}}},
		{"vm.boot", {{404, NOTHING}, {204, RUNNING}, {500, RUNNING}, {500, PAUSED}}},
		{"vm.info", {{404, NOTHING}, {200, CREATED}, {200, RUNNING}, {200, PAUSED}}},
		{"vm.counters", {{500, NOTHING}, {500, CREATED}, {200, RUNNING}, {200, PAUSED}}},
		{"vm.pause", {{500, NOTHING}, {500, CREATED}, {204, PAUSED}, {500, PAUSED}}},
		{"vm.resume", {{500, NOTHING}, {500, CREATED}, {500, RUNNING}, {204, RUNNING}}},
		{"vm.reboot", {{404, NOTHING}, {404, CREATED}, {204, RUNNING}, {204, RUNNING}}},
		{"vm.power-button", {{500, NOTHING}, {500, CREATED}, {500, RUNNING}, {500, PAUSED}}},
		{"vm.nmi", {{500, NOTHING}, {500, CREATED}, {204, RUNNING}, {204, PAUSED}}},
		{"vm.shutdown", {{500, NOTHING}, {500, CREATED}, {204, CREATED}, {204, CREATED}}},
		{"vm.delete", {{204, NOTHING}, {204, NOTHING}, {204, NOTHING}, {204, NOTHING}}},
	};
	unsigned is = NOTHING;

	start_api(sleeps, sizeof(sleeps), "");
	expect_state("");
	for (unsigned from = 0; from < STATES; from++) {
		for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			if (is != from)
				bring_to(from);
			EXPECT_WITH(rows[i].call, strcmp(rows[i].call, "vm.create") == 0 ? api.body : NULL,
				rows[i].in[from].status);
			is = rows[i].in[from].to;
			expect_state(names[is]);
		}
	}
	quit();
}

Test(api_states, one_life_after_another_in_the_same_launcher, .init = needs_a_vm, .timeout = 120)
{
	pid_t core, broker, opener, server;

	start_api(sleeps, sizeof(sleeps), "");
	create_and_boot();
	await_printed("!");
	core = child_of("core", 0);
	broker = child_of("broker", 0);
	opener = child_of("open", 0);
	server = child_of("api", 0);
	expect_processes("api broker core open");
	EXPECT("vm.shutdown", 204);
	expect_processes("api open");
	expect_state("Created");
	EXPECT("vm.boot", 204);
	await_printed("!!");
	cr_expect(child_of("core", 0) && child_of("core", 0) != core);
	cr_expect(child_of("broker", 0) && child_of("broker", 0) != broker);
	EXPECT("vm.delete", 204);
	expect_processes("api open");
	expect_state("");
	create_and_boot();
	await_printed("!!!");
	cr_expect(child_of("open", 0) == opener && child_of("api", 0) == server, "these stay");
	quit();
	cr_expect_eq(errors(), 0, "%s", run.err_text);
}

/* ---- the guest ---------------------------------------------------------------------------------- */

Test(api_states, a_reboot_is_the_guests_alone, .init = needs_a_vm, .timeout = 60)
{
	pid_t core;

	start_api(sleeps, sizeof(sleeps), "");
	create_and_boot();
	await_printed("!");
	core = child_of("core", 0);
	EXPECT("vm.reboot", 204);
	await_printed("!!");
	EXPECT("vm.pause", 204);
	EXPECT("vm.reboot", 204);
	await_printed("!!!");
	expect_state("Running");
	cr_expect_eq(child_of("core", 0), core);
	quit();
}

static unsigned long exits(void)
{
	const char *at;

	EXPECT("vm.counters", 200);
	at = strstr(api.heard, "\"exits\":");
	cr_assert_not_null(at, "%s", api.heard);
	return strtoul(at + 8, NULL, 10);
}

Test(api_states, a_guest_that_is_paused_does_nothing, .init = needs_a_vm, .timeout = 60)
{
	const int64_t end = now_ms() + PATIENCE_MS;
	unsigned long before;

	start_api(knocks, sizeof(knocks), "");
	create_and_boot();
	await_printed("!");
	EXPECT("vm.pause", 204);
	before = exits();
	usleep(200000);
	cr_expect_eq(exits(), before);
	EXPECT("vm.resume", 204);
	while (exits() == before)
		cr_assert(now_ms() < end, "it does not go on");
	quit();
}

Test(api_states, the_power_button_of_a_guest_that_listens, .init = needs_a_vm, .timeout = 60)
{
	start_api(obeys, sizeof(obeys), "--no-shutdown");
	create_and_boot();
	await_printed("!");
	EXPECT("vm.power-button", 204);
	await_state_is("Created");
	expect_processes("api open");
	EXPECT("vm.boot", 204);
	await_printed("!!");
	quit();
}

Test(api_states, the_power_button_of_a_guest_that_does_not_listen, .init = needs_a_vm, .timeout = 60)
{
	start_api(sleeps, sizeof(sleeps), "");
	create_and_boot();
	await_printed("!");
	EXPECT_WHY("vm.power-button", 500, "vm.shutdown ends it");
	EXPECT("vm.shutdown", 204);
	quit();
}

/* An NMI without an IDT is a triple fault, and that a reset (SDM 3A 6.15). */
Test(api_states, an_nmi_reaches_the_guest, .init = needs_a_vm, .timeout = 60)
{
	start_api(sleeps, sizeof(sleeps), "");
	create_and_boot();
	await_printed("!");
	EXPECT("vm.nmi", 204);
	await_printed("!!");
	expect_state("Running");
	quit();
}

Test(api_states, a_triple_fault_is_a_reset, .init = needs_a_vm, .timeout = 60)
{
	start_api(faults_once, sizeof(faults_once), "");
	create_and_boot();
	await_printed("ff!");
	expect_state("Running");
	quit();
}

Test(api_states, a_guest_that_powers_off_ends_everything, .init = needs_a_vm, .timeout = 60)
{
	start_api(obeys, sizeof(obeys), "");
	create_and_boot();
	await_printed("!");
	EXPECT("vm.power-button", 204);
	ends_with(0);
}

/* Whatever has become of it by then, it has been booted. */
Test(api_states, a_guest_that_powers_off_at_once_has_been_booted, .init = needs_a_vm, .timeout = 120)
{
	char want[21] = "";

	start_api(says_hi, sizeof(says_hi), "--no-shutdown");
	EXPECT_WITH("vm.create", api.body, 204);
	for (unsigned i = 0; i < 10; i++) {
		EXPECT("vm.boot", 204);
		await_state_is("Created");
		strcat(want, "hi");
		await_printed(want);
	}
	quit();
}

Test(api_states, the_command_lines_vm_runs_at_once, .init = needs_a_vm, .timeout = 60)
{
	start_running(sleeps, sizeof(sleeps), "");
	read_until(run.out_text, "!");
	await_state_is("Running");
	cr_expect(strstr(api.heard, kernel), "%s", api.heard);
	cr_expect(strstr(api.heard, "33554432"), "%s", api.heard);
	EXPECT_WHY("vm.create", 400, "");
	EXPECT_WITH("vm.create", api.body, 500);
	EXPECT("vm.reboot", 204);
	read_until(run.out_text, "!!");
	EXPECT("vm.shutdown", 204);
	EXPECT("vm.boot", 204);
	read_until(run.out_text, "!!!");
	EXPECT("vm.delete", 204);
	create_and_boot();
	await_printed("!");
	quit();
}

/* ---- what is not booted ------------------------------------------------------------------------- */

static void create_of(const char *path)
{
	EXPECT("vm.delete", 204);
	set_body(path);
	EXPECT_WITH("vm.create", api.body, 204);
}

static void expect_good_boot(void)
{
	create_of(kernel);
	EXPECT("vm.boot", 204);
	expect_state("Running");
}

Test(api_states, a_kernel_that_is_not_allowed, .init = needs_a_vm, .timeout = 60)
{
	start_api(sleeps, sizeof(sleeps), "");
	create_of("/etc/passwd");
	EXPECT_WHY("vm.boot", 500, "--allow ro=");
	expect_state("Created");
	expect_processes("api open");
	create_of("/nowhere");
	EXPECT_WHY("vm.boot", 500, "--allow ro=");
	expect_good_boot();
	quit();
}

/* Of those there is one text, and nobody is held up. */
Test(api_states, a_kernel_that_is_no_file, .init = needs_a_vm, .timeout = 60)
{
	char folder_path[64], fifo[80], more[100];

	strcpy(kernel, "/tmp/bulkhead-kernel-XXXXXX");
	strcpy(folder_path, "/tmp/bulkhead-folder-XXXXXX");
	cr_assert_not_null(mkdtemp(folder_path));
	chmod(folder_path, 0755);
	snprintf(fifo, sizeof(fifo), "%s/fifo", folder_path);
	cr_assert_eq(mkfifo(fifo, 0666), 0);
	snprintf(more, sizeof(more), "--allow ro=%s", folder_path);
	start_api(sleeps, sizeof(sleeps), more);
	create_of(fifo);
	EXPECT_WHY("vm.boot", 500, "--allow ro=");
	create_of(folder_path);
	EXPECT_WHY("vm.boot", 500, "--allow ro=");
	expect_good_boot();
	quit();
	unlink(fifo);
	rmdir(folder_path);
}

Test(api_states, a_kernel_that_is_none, .init = needs_a_vm, .timeout = 60)
{
	char path[80], more[100];
	int fd;

	strcpy(path, "/tmp/bulkhead-none-XXXXXX");
	fd = mkstemp(path);
	cr_assert(fd >= 0 && write(fd, "none", 4) == 4 && fchmod(fd, 0644) == 0);
	close(fd);
	snprintf(more, sizeof(more), "--allow ro=%s", path);
	start_api(sleeps, sizeof(sleeps), more);
	create_of(path);
	EXPECT_WHY("vm.boot", 500, "kernel");
	cr_expect(!strstr(api.heard, "see the log") && !strstr(api.heard, "the log says why"), "%s",
		api.heard);
	expect_state("Created");
	expect_processes("api open");
	expect_good_boot();
	quit();
	unlink(path);
}
