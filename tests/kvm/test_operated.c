/* SPDX-License-Identifier: Apache-2.0
 *
 * A VM with an API, all of it: lives that come and go, what a client names and what he sends. What opener
 * and api do for that, without a device; `make check-rows-here` counts what of the policies it takes.
 */
#include "tests/kvm/operated.h"

static char allowed[] = "/tmp/bulkhead-allowed-XXXXXX";

static void with_folder(void)
{
	needs_a_vm();
	cr_assert(mkdtemp(allowed));
	make_kernel(sleeps, sizeof(sleeps));
}

static void without_folder(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", allowed);
	cr_expect_eq(system(command), 0);
}

TestSuite(operated, .init = with_folder, .fini = without_folder, .timeout = 120);

static int create(const char *serial)
{
	char body[1024];

	snprintf(body, sizeof(body), "{\"cpus\":{\"boot_vcpus\":1,\"max_vcpus\":1},\"memory\":{\"size\":33554432},"
		"\"payload\":{\"kernel\":\"%s\"},\"serial\":{%s},\"console\":{\"mode\":\"Off\"}}", kernel, serial);
	return call("PUT", "vm.create", body);
}

static unsigned size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (unsigned)st.st_size : 0;
}

/* One after another, each with another serial port; to its file it goes on writing at the end. */
Test(operated, every_kind_of_serial_port)
{
	char file[64], options[300], serial[128];

	snprintf(file, sizeof(file), "%s/serial", allowed);
	snprintf(options, sizeof(options), "--allow serial=%s --event-monitor path=%s/events", allowed, allowed);
	start_operated(options);
	cr_expect_eq(call("PUT", "vm.delete", ""), 204);
	snprintf(serial, sizeof(serial), "\"mode\":\"File\",\"file\":\"%s\"", file);
	for (unsigned i = 1; i <= 2; i++) {
		cr_expect_eq(create(serial), 204, "%s", answer);
		cr_expect_eq(call("PUT", "vm.boot", ""), 204, "%s", answer);
		for (unsigned k = 0; k < 500 && size_of(file) < i; k++)
			usleep(10000);
		cr_expect_eq(size_of(file), i);
		cr_expect_eq(call("PUT", "vm.delete", ""), 204, "%s", answer);
	}
	cr_expect_eq(create("\"mode\":\"Pty\""), 204, "%s", answer);
	cr_expect_eq(call("PUT", "vm.boot", ""), 204, "%s", answer);
	cr_expect_eq(call("GET", "vm.info", ""), 200);
	cr_expect(strstr(answer, "/dev/pts/"), "%s", answer);
	cr_expect_eq(call("PUT", "vm.delete", ""), 204, "%s", answer);
	end_operated();
	snprintf(file, sizeof(file), "%s/events", allowed);
	cr_expect_gt(size_of(file), 0);
}

/* The terminal behind it is others', too: the guest's view of it alone does not block. */
static bool writes_without_blocking(pid_t pid)
{
	char path[64], link[64], line[64];
	unsigned flags = 0, found = 0;

	for (unsigned fd = 0; fd < 64; fd++) {
		FILE *info;
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/fd/%u", pid, fd);
		n = readlink(path, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = '\0';
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%u", pid, fd);
		info = fd > 2 && strncmp(link, "pipe:", 5) == 0 ? fopen(path, "r") : NULL;
		while (info && fgets(line, sizeof(line), info))
			if (sscanf(line, "flags: %o", &flags) == 1)
				found += (flags & O_ACCMODE) == O_WRONLY && (flags & O_NONBLOCK);
		if (info)
			fclose(info);
	}
	return found == 1;
}

Test(operated, standard_output_does_not_block_in_a_later_life)
{
	if (geteuid() != 0)
		cr_skip_test("only root may look");
	start_operated("");
	cr_expect(writes_without_blocking(child_of("core", 0)));
	cr_expect_eq(call("PUT", "vm.shutdown", ""), 204);
	cr_expect_eq(call("PUT", "vm.boot", ""), 204);
	await_guest();
	cr_expect(writes_without_blocking(child_of("core", 0)));
	end_operated();
}

/* What a client names is looked at, and what he sends is; a device it is not. A VM that runs goes on, and
 * one that does not is what it was before. */
Test(operated, devices_that_are_none)
{
	static const char there[] = "{\"path\":\"/sys/bus/pci/devices/0000:ff:1f.7\",\"id\":\"none\"}";
	static const char not_allowed[] = "{\"path\":\"/sys/bus/pci/devices/0000:ff:1f.6\",\"id\":\"none\"}";
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	start_operated("--allow device=/sys/bus/pci/devices/0000:ff:1f.7");
	cr_expect_eq(call("PUT", "vm.add-device", there), 500, "%s", answer);
	cr_expect(strstr(answer, "none: no device comes to a VM that runs"), "%s", answer);
	cr_expect_eq(call("PUT", "vm.shutdown", ""), 204, "%s", answer);
	cr_expect_eq(call("PUT", "vm.add-device", there), 204, "%s", answer);
	cr_expect_eq(call("PUT", "vm.boot", ""), 404, "%s", answer);
	cr_expect_eq(call("PUT", "vm.remove-device", "{\"id\":\"none\"}"), 204, "%s", answer);
	cr_expect_eq(call("PUT", "vm.add-device", not_allowed), 204, "%s", answer);
	cr_expect_eq(call("PUT", "vm.boot", ""), 500, "%s", answer);
	cr_expect_eq(call("PUT", "vm.remove-device", "{\"id\":\"none\"}"), 204, "%s", answer);
	cr_expect_eq(call_with("PUT", "vm.add-device", "{\"id\":\"sent\"}", null), 204, "%s", answer);
	cr_expect_eq(call("PUT", "vm.boot", ""), 400, "%s", answer);
	cr_expect_eq(call("PUT", "vm.remove-device", "{\"id\":\"sent\"}"), 204, "%s", answer);
	cr_expect_eq(call("PUT", "vm.boot", ""), 204, "%s", answer);
	await_guest();
	cr_expect_eq(call("PUT", "vm.nmi", ""), 204, "%s", answer); /* which it has no gate for: it boots again */
	end_operated();
}

/* Whoever stops it, a shell or a debugger, finds it as it was. */
Test(operated, opener_and_api_may_stand_still)
{
	start_operated("");
	for (unsigned i = 0; i < 2; i++) {
		pid_t pid = child_of(i ? "api" : "open", 0);

		usleep(100000); /* it waits for whatever comes */
		kill(pid, SIGSTOP);
		usleep(200000);
		kill(pid, SIGCONT);
		cr_expect_eq(call("PUT", "vm.shutdown", ""), 204, "%s", answer);
		cr_expect_eq(call("PUT", "vm.boot", ""), 204, "%s", answer);
		await_guest();
		cr_expect_eq(child_of(i ? "api" : "open", 0), pid);
	}
	end_operated();
}

Test(operated, a_kernel_that_is_gone_fails_the_boot_alone)
{
	start_operated("");
	cr_expect_eq(call("PUT", "vm.shutdown", ""), 204);
	unlink(kernel);
	cr_expect_eq(call("PUT", "vm.boot", ""), 500, "%s", answer);
	cr_expect(strstr(answer, "no --allow ro= names it, or it is not there"), "%s", answer);
	cr_expect_eq(call("GET", "vm.info", ""), 200);
	end_operated();
}
