/* SPDX-License-Identifier: Apache-2.0
 *
 * `bulkhead ctl` as people use it: build/bulkhead-ctl against build/bulkhead-api.
 */
#include "tests/unit/api_client.h"

TestSuite(ctl, .init = api_begin, .fini = api_end, .timeout = 240);

static char said[65536];

/* Runs it with those words; socket is the API's. Its exit status; what it said is in `said`. */
static int ctl_with(const char *in, const char *const words[])
{
	char path[PATH_MAX], name[sizeof(api.address.sun_path)];
	const char *argv[8] = {"ctl"};
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int out[2], input[2], status = -1;
	size_t len = 0;
	pid_t pid;

	path[n] = '\0';
	*strrchr(path, '/') = '\0';
	strcpy(strrchr(path, '/'), "/bulkhead-ctl");
	snprintf(name, sizeof(name), "/tmp/bulkhead-ctl-%d", getpid());
	for (unsigned i = 0; words[i] && i < 6; i++)
		argv[i + 1] = strcmp(words[i], "SOCKET") == 0 ? name : words[i];
	cr_assert(pipe(out) == 0 && pipe(input) == 0);
	cr_assert_eq(write(input[1], in, strlen(in)), (ssize_t)strlen(in));
	close(input[1]);
	pid = fork();
	if (pid == 0) {
		dup2(input[0], 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		close_range(3, ~0u, 0);
		execv(path, (char **)(uintptr_t)argv);
		_exit(127);
	}
	close(out[1]);
	close(input[0]);
	while (play_until(out[0], PATIENCE_MS) &&
		(n = read(out[0], said + len, sizeof(said) - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	close(out[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define CTL(...) ctl_with("", (const char *const[]){__VA_ARGS__, NULL})

/* A name in the file system, as people have. */
static void listen_by_path(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/bulkhead-ctl-%d", getpid());
	unlink(address.sun_path);
	kill(api.pid, SIGKILL);
	waitpid(api.pid, NULL, 0);
	fd_close(&api.words);
	chan_close(&api.opener);
	fd_close(&api.listener);
	api.listener.n = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(api.listener.n, (void *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(api.listener.n, 5), 0);
	api.address = address;
	api.address_len = sizeof(address);
	api_starts(true);
}

static void forget_path(void)
{
	unlink(api.address.sun_path);
}

Test(ctl, a_vm_from_beginning_to_end)
{
	listen_by_path();
	cr_expect_eq(CTL("SOCKET", "vmm.ping"), 0, "%s", said);
	cr_expect(strstr(said, "version    53.0\n"), "%s", said);
	cr_expect_eq(CTL("SOCKET", "info"), 1);
	cr_expect_str_eq(said, "bulkhead: error: vm.info: Error from API: The VM info is not available: "
		"VM is not created\n");
	cr_expect_eq(ctl_with("{\"payload\":{\"kernel\":\"/k\",\"cmdline\":\"c\\u001b[2J\"},"
		"\"memory\":{\"size\":134217728},\"devices\":[{\"path\":\"/p\"}]}",
		(const char *const[]){"SOCKET", "create", "-", NULL}), 0, "%s", said);
	cr_expect_str_eq(said, "");
	cr_expect_eq(CTL("SOCKET", "info"), 0, "%s", said);
	cr_expect_str_eq(said,
		"state      Created\n"
		"vcpus      1\n"
		"memory     128M\n"
		"kernel     /k\n"
		"cmdline    c?[2J\n"
		"serial     Null -\n"
		"device     -             _vfio0            -          /p\n");
	cr_expect_eq(CTL("SOCKET", "delete"), 0, "%s", said);
	cr_expect_eq(CTL("SOCKET", "create", "{\"payload\":{\"kernel\":\"/k\"}}"), 0, "%s", said);
	api.refusal = (struct err){.code = -EACCES, .msg = "/p: outside of what --allow names"};
	cr_expect_eq(CTL("SOCKET", "boot"), 1);
	cr_expect_str_eq(said, "bulkhead: error: vm.boot: Error from API: The VM could not boot: /p: "
		"outside of what --allow names\n");
	forget_path();
}

Test(ctl, a_vm_that_runs)
{
	listen_by_path();
	api.memory = 134217728;
	cr_expect_eq(CTL("SOCKET", "create", "{\"payload\":{\"kernel\":\"/k\"},"
		"\"devices\":[{\"path\":\"/p\"}]}"), 0, "%s", said);
	cr_expect_eq(CTL("SOCKET", "vm.boot"), 0, "%s", said);
	cr_expect_eq(CTL("SOCKET", "info"), 0, "%s", said);
	cr_expect(strstr(said, "state      Running\n"), "%s", said);
	cr_expect(strstr(said, "threads    77 78\n"), "%s", said);
	cr_expect(strstr(said, "device     0000:00:01.0  _vfio0            here       /p\n"), "%s",
		said);
	cr_expect_eq(CTL("SOCKET", "add-vdpa", "{\"path\":\"/v\"}"), 0, "%s", said);
	cr_expect_str_eq(said, "id         _vdpa1\nbdf        0000:00:02.0\n");
	cr_expect_eq(CTL("--json", "SOCKET", "add-vdpa", "{\"path\":\"/w\"}"), 0);
	cr_expect_str_eq(said, "{\"id\":\"_vdpa2\",\"bdf\":\"0000:00:03.0\"}\n");
	cr_expect_eq(CTL("SOCKET", "add-vdpa", "{\"path\":\"/x\"}", "--json"), 0);
	cr_expect_str_eq(said, "{\"id\":\"_vdpa3\",\"bdf\":\"0000:00:04.0\"}\n");
	cr_expect_eq(CTL("SOCKET", "counters"), 0);
	cr_expect(strstr(said, "__vcpus.exits 1234\n_vfio0.asks 5\n"), "%s", said);
	cr_expect_eq(CTL("SOCKET", "shutdown"), 0, "%s", said);
	cr_expect_eq(CTL("SOCKET", "info"), 0);
	cr_expect(strstr(said, "state      Created\n"), "shutdown is the VM's: %s", said);
	forget_path();
}

Test(ctl, what_goes_wrong_is_one_line)
{
	listen_by_path();
	cr_expect_eq(CTL("SOCKET"), 1);
	cr_expect(strstr(said, "usage: bulkhead ctl [--json] SOCKET CALL [JSON|-]"), "%s", said);
	cr_expect_eq(CTL("SOCKET", "explode"), 1);
	cr_expect_str_eq(said, "bulkhead: error: explode: there is no such call; docs/api.md has them "
		"all\n");
	cr_expect_eq(CTL("/nowhere/x", "info"), 1);
	cr_expect_str_eq(said, "bulkhead: error: /nowhere/x: No such file or directory; is it what a VM "
		"that runs was given as --api-socket?\n");
	cr_expect_eq(CTL("SOCKET", "create", "{\"memory\":{}}"), 1);
	cr_expect_str_eq(said, "bulkhead: error: vm.create: Failed to deserialize JSON: missing field "
		"`size` at memory\n");
	cr_expect_eq(CTL("--json", "SOCKET", "boot"), 1);
	cr_expect(strncmp(said, "[\"Error from API\",", 18) == 0, "%s", said);
	forget_path();
}
