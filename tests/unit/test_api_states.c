/* SPDX-License-Identifier: Apache-2.0
 *
 * Every call in every state of the VM, against build/bulkhead-api; what vm.info says afterwards.
 */
#include "tests/unit/api_client.h"

TestSuite(api_states, .init = api_begin, .fini = api_end, .timeout = 240);

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
