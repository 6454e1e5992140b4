/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core makes of the opener's words: every number that cannot be is refused and named, as
 * everything there is built on them; and descriptors become whose they are.
 *
 * links: vmm/config.c tests/census.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "seccomp/birth.h"
#include "tests/census.h"
#include "vmm/config.h"

static struct chan opener, core;
static struct config config;
static Bulkhead__CoreConfig told;
static struct msg msg;
static struct err err;

/* One that can be: two of four vCPUs, two threads each. */
static void begin(void)
{
	struct fd a, b;

	cr_assert_eq(frame_pair(&a, &b), 0);
	chan_init(&opener, a, ACTOR_OPENER, ACTOR_CORE, "core");
	chan_init(&core, b, ACTOR_CORE, ACTOR_OPENER, "opener");
	config_init(&config);
	told = (Bulkhead__CoreConfig)BULKHEAD__CORE_CONFIG__INIT;
	told.vcpus = 2;
	told.max_vcpus = 4;
	told.threads_per_core = 2;
	told.cores_per_die = 2;
	told.dies_per_package = told.packages = 1;
	told.memory = 64 * MiB;
	told.hugepage_size = 2 * MiB;
	told.serial = CONSOLE_FILE;
	told.shutdown_timeout_s = 60;
}
TestSuite(core_config, .init = begin);

static int take_with(unsigned n_fds)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), r;
	const int fds[] = {null, null, null};

	err = (struct err){0};
	cr_assert_eq(chan_give(&opener, &PACKET(CORE_CONFIG, core_config, &told), fds, n_fds, 0), 0);
	close(null);
	r = chan_recv(&core, &msg, 100, &err);
	cr_assert_eq(r, 0, "%s", err.msg);
	r = config_take(&config, &msg, &err);
	msg_done(&msg);
	return r;
}

Test(core_config, is_taken)
{
	told.node_cpus = (ProtobufCBinaryData){0, NULL};
	told.cmdline = (char[]){"console=ttyS0"};
	told.initramfs = true;
	told.prefault = told.terminal = true;
	cr_assert_eq(take_with(3), 0, "%s", err.msg);
	cr_expect(config.told && config.cpus.boot == 2 && config.cpus.max == 4 && config.cpus.threads == 2);
	cr_expect(config.ram.size == 64 * MiB && config.ram.prefault && !config.ram.hugepages);
	cr_expect(config.has_cmdline && strcmp(config.cmdline, "console=ttyS0") == 0);
	cr_expect(config.serial == CONSOLE_FILE && config.terminal && config.shutdown_timeout_s == 60);
	cr_expect(config.kvm.n >= 0 && config.kernel.n >= 0 && config.initramfs.n >= 0);
}

Test(core_config, without_an_initramfs_or_a_command_line)
{
	int before = census_fds(0);

	cr_assert_eq(take_with(2), 0, "%s", err.msg);
	cr_expect(!config.has_cmdline && config.initramfs.n < 0);
	cr_expect_eq(census_fds(0), before + 2);
}

/* What is too long for any kernel is seen to be: boot_check refuses it. */
Test(core_config, a_command_line_that_is_too_long_stays_too_long)
{
	static char text[2 * CMDLINE_MAX];

	memset(text, 'x', sizeof(text) - 1);
	told.cmdline = text;
	cr_assert_eq(take_with(2), 0, "%s", err.msg);
	cr_expect_eq(strlen(config.cmdline), CMDLINE_MAX);
}

static void expect_refused(const char *field, unsigned line)
{
	int before = census_fds(0);
	char want[64];

	snprintf(want, sizeof(want), "cannot be: %s", field);
	cr_expect_eq(take_with(2), -EBADMSG, "line %u", line);
	cr_expect(strstr(err.msg, want) && strlen(err.msg) == (size_t)(strstr(err.msg, want) - err.msg) +
		strlen(want), "line %u: %s", line, err.msg);
	cr_expect(!config.told && config.kvm.n < 0 && config.kernel.n < 0, "line %u", line);
	cr_expect_eq(census_fds(0), before, "line %u: what came is closed", line);
	chan_close(&opener);
	chan_close(&core);
	begin();
}

#define WRONG(assignment, field)                                                                   \
	do {                                                                                       \
		assignment;                                                                        \
		expect_refused(field, __LINE__);                                                   \
	} while (0)

Test(core_config, each_number_that_cannot_be_is_named)
{
	static uint8_t cpus[sizeof(cpu_set_t) + 1];

	WRONG(told.vcpus = 0, "vcpus");
	WRONG(told.vcpus = 5, "vcpus");
	WRONG(told.vcpus = UINT32_MAX, "vcpus");
	WRONG((told.max_vcpus = VCPUS_MAX + 1, told.threads_per_core = 1, told.cores_per_die = 1,
		told.packages = VCPUS_MAX + 1), "max_vcpus");
	WRONG(told.max_vcpus = 3, "topology");
	WRONG(told.threads_per_core = 0, "topology");
	WRONG(told.cores_per_die = 3, "topology");
	WRONG(told.packages = 2, "topology");
	/* Whose product is four, in 64 bits. */
	WRONG((told.threads_per_core = told.cores_per_die = told.dies_per_package = 1u << 31,
		told.packages = 1u << 31), "topology");
	WRONG((told.threads_per_core = 1u << 31, told.cores_per_die = 1u << 31, told.dies_per_package = 4,
		told.packages = 1), "topology");
	WRONG(told.memory = 0, "memory");
	WRONG(told.hugepage_size = 0, "hugepage_size");
	WRONG(told.hugepage_size = 4 * KiB, "hugepage_size");
	WRONG(told.hugepage_size = UINT64_MAX, "hugepage_size");
	WRONG(told.node = NUMA_NODES_MAX, "node");
	WRONG(told.node = UINT32_MAX, "node");
	WRONG((told.node_cpus = (ProtobufCBinaryData){1, cpus}), "node_cpus");
	WRONG((told.node_cpus = (ProtobufCBinaryData){sizeof(cpus), cpus}), "node_cpus");
	WRONG(told.serial = CONSOLE_FILE + 1, "serial");
	WRONG(told.serial = UINT32_MAX, "serial");
	WRONG(told.serial_limit = SERIAL_LIMIT_MIN - 1, "serial_limit");
	WRONG(told.shutdown_timeout_s = SHUTDOWN_TIMEOUT_MAX_S + 1, "shutdown_timeout_s");
	WRONG(told.shutdown_timeout_s = UINT32_MAX, "shutdown_timeout_s");
	WRONG(told.initramfs = true, "initramfs"); /* and none came */
	cr_expect_eq(take_with(2), 0, "%s", err.msg);
}

Test(core_config, an_initramfs_that_nobody_spoke_of)
{
	cr_expect_eq(take_with(3), -EBADMSG);
	cr_expect(strstr(err.msg, "cannot be: initramfs"), "%s", err.msg);
}

Test(core_config, there_is_one)
{
	int kvm;

	cr_assert_eq(take_with(2), 0, "%s", err.msg);
	kvm = config.kvm.n;
	told.memory = 128 * MiB;
	cr_expect_eq(take_with(2), -EBADMSG);
	cr_expect(strstr(err.msg, "a second configuration"), "%s", err.msg);
	cr_expect(config.ram.size == 64 * MiB && config.kvm.n == kvm);
}

/* ---- its devices ------------------------------------------------------------------------------- */

static Bulkhead__CoreDevice a_device(void)
{
	Bulkhead__CoreDevice device = BULKHEAD__CORE_DEVICE__INIT;

	device.kind = KIND_VFIO;
	device.name = (char *)(uintptr_t)"0000:00:03.0";
	device.id = (char *)(uintptr_t)"nvme";
	device.devfn = 5 << 3;
	device.trapped = 1 << 5;
	device.rom = ROM_FILE;
	return device;
}

Test(core_config, a_device_is_taken)
{
	Bulkhead__CoreDevice device = a_device();
	struct device_config ret;

	device.p2p = true;
	cr_assert_eq(config_take_device(&device, &ret, &err), 0, "%s", err.msg);
	cr_expect(ret.kind == KIND_VFIO && strcmp(ret.name, "0000:00:03.0") == 0 &&
		strcmp(ret.id, "nvme") == 0 && ret.devfn == 40 && ret.trapped == 32 && ret.p2p &&
		ret.rom == ROM_FILE && !ret.rom_image);
}

static void device_refused(Bulkhead__CoreDevice device, const char *field)
{
	struct device_config ret;

	cr_expect_eq(config_take_device(&device, &ret, &err), -EBADMSG, "%s", field);
	cr_expect_str_eq(strrchr(err.msg, ' ') + 1, field);
}

Test(core_config, each_field_of_a_device_that_cannot_be_is_named)
{
	static const unsigned kinds[] = {KIND_LAUNCHER, KIND_OPENER, KIND_CORE, KIND_BROKER, WORD_KINDS,
		UINT32_MAX};
	char name[66];
	Bulkhead__CoreDevice device;

	memset(name, 'x', sizeof(name));
	name[65] = '\0';
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		device = a_device();
		device.kind = kinds[i];
		device_refused(device, "kind");
	}
	device = a_device();
	device.name = name;
	device_refused(device, "name");
	device = a_device();
	device.id = name;
	device_refused(device, "id");
	device = a_device();
	device.devfn = PCI_DEVICES * PCI_FUNCTIONS;
	device_refused(device, "devfn");
	device = a_device();
	device.trapped = 1 << 6;
	device_refused(device, "trapped");
	device = a_device();
	device.rom = ROM_FILE + 1;
	device_refused(device, "rom");
}

/* ---- what it writes to ------------------------------------------------------------------------- */

static int give_console(unsigned n, int out)
{
	Bulkhead__CoreConsole body = BULKHEAD__CORE_CONSOLE__INIT;
	const int fds[] = {out, out};
	int r;

	cr_assert_eq(chan_give(&opener, &PACKET(CORE_CONSOLE, core_console, &body), fds, n, 0), 0);
	cr_assert_eq(chan_recv(&core, &msg, 100, &err), 0, "%s", err.msg);
	r = config_take_console(&config, &msg, &err);
	msg_done(&msg);
	return r;
}

Test(core_config, a_console_and_no_second)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), before, out;

	before = census_fds(0);
	cr_expect_eq(give_console(1, null), 0, "%s", err.msg);
	out = config.serial_out.n;
	cr_expect(out >= 0 && config.serial_in.n < 0);
	cr_expect_eq(give_console(2, null), -EBADMSG);
	cr_expect(strstr(err.msg, "a console out of turn"), "%s", err.msg);
	cr_expect(config.serial_out.n == out && config.serial_in.n < 0);
	cr_expect_eq(census_fds(0), before + 1);
}

/* The core begins at the configuration: what comes after it would be too late. */
Test(core_config, a_console_comes_first)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	cr_assert_eq(take_with(2), 0, "%s", err.msg);
	cr_expect_eq(give_console(1, null), -EBADMSG);
	cr_expect_lt(config.serial_out.n, 0);
}

/* RLIMIT_FSIZE ends who writes to a file past it. */
Test(core_config, what_grows_is_a_file)
{
	char path[] = "/tmp/bulkhead-test-XXXXXX";
	int file = mkstemp(path), null = open("/dev/null", O_RDWR | O_CLOEXEC);

	unlink(path);
	dup2(null, BIRTH_FD_LOG);
	cr_expect(!config_grows(&config));
	config.serial_out.n = null;
	cr_expect(!config_grows(&config));
	config.serial_out.n = file;
	cr_expect(config_grows(&config));
	config.serial_out.n = -1;
	dup2(file, BIRTH_FD_LOG);
	cr_expect(config_grows(&config));
}
