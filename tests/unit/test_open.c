/* SPDX-License-Identifier: Apache-2.0
 *
 * What the opener opens, and what core and broker are told: numbers, and each descriptor to its owner
 * and to nobody else; a broker hears of a device before the core does.
 *
 * links: helpers/open/files.c helpers/open/allow.c helpers/opts/opts_api.c helpers/opts/opts_value.c
 * links: helpers/open/tell.c helpers/host/memory.c helpers/host/files.c tests/census.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helpers/open/open.h"
#include "tests/census.h"

static struct opening opening;
static struct chan core, broker;
static struct msg msg;
static struct err err;
static int no_kvm; /* what opening it fails with */

/* /dev/kvm need not be here. */
int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (strcmp(path, "/dev/kvm") == 0) {
		errno = no_kvm;
		path = "/dev/null";
		if (no_kvm)
			return -1;
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static char dir[32], kernel[64], missing[64];

static void begin(void)
{
	struct fd a, b, c, d;

	strcpy(dir, "/tmp/bulkhead-open-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(kernel, sizeof(kernel), "%s/kernel", dir);
	snprintf(missing, sizeof(missing), "%s/missing", dir);
	close(open(kernel, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	cr_assert(frame_pair(&a, &b) == 0 && frame_pair(&c, &d) == 0);
	opening = (struct opening){.root = {open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)},
		.out = FD_NONE_INIT, .iommufd = FD_NONE_INIT, .container = FD_NONE_INIT,
		.files = {FD_NONE_INIT, FD_NONE_INIT, FD_NONE_INIT, FD_NONE_INIT, FD_NONE_INIT},
		.opts = {.kernel = kernel, .serial = CONSOLE_OFF, .shutdown_timeout_s = 60,
			.cpus = {2, 4, 2, 2, 1, 1},
			.ram = {.size = 64 * MiB, .hugepage_size = 2 * MiB}}};
	for (unsigned i = 0; i < VM_SLOTS; i++)
		opening.devices[i] = (struct wanted){.group = -1, .node = FD_NONE_INIT,
			.watch = FD_NONE_INIT, .rom = FD_NONE_INIT, .slot = i, .generation = 6,
			.opt = &opening.opts.devices[i]};
	chan_init(&opening.core, a, ACTOR_OPENER, ACTOR_CORE, "core");
	chan_init(&core, b, ACTOR_CORE, ACTOR_OPENER, "opener");
	chan_init(&opening.broker, c, ACTOR_OPENER, ACTOR_BROKER, "broker");
	chan_init(&broker, d, ACTOR_BROKER, ACTOR_OPENER, "opener");
}

static void end(void)
{
	unlink(kernel);
	unlink(missing);
	rmdir(dir);
}
TestSuite(open, .init = begin, .fini = end, .timeout = 20);

/* ---- files ------------------------------------------------------------------------------------- */

static void refused(int code, const char *what, const char *next)
{
	cr_expect_eq(files_open(&opening, &err), code, "%s", err.msg);
	cr_expect(strstr(err.msg, what) && strstr(err.msg, next), "«%s» lacks «%s» or «%s»", err.msg, what,
		next);
	cr_expect_eq(err.blame, BLAME_HOST);
}

Test(open, what_is_named)
{
	cr_assert_eq(files_open(&opening, &err), 0, "%s", err.msg);
	cr_expect(opening.files.kernel.n >= 0 && opening.files.kvm.n >= 0);
	cr_expect(opening.files.initramfs.n < 0 && opening.files.serial_out.n < 0 &&
		opening.files.serial_in.n < 0, "nothing else");
}

Test(open, what_is_not_there)
{
	opening.opts.kernel = missing;
	refused(-ENOENT, "--kernel ", "check the path");
	opening.opts.kernel = kernel;
	opening.opts.initramfs = missing;
	refused(-ENOENT, "--initramfs ", "check the path");
	opening.opts.initramfs = NULL;
	opening.opts.serial = CONSOLE_FILE;
	opening.opts.serial_path = "/nowhere/serial";
	refused(-ENOENT, "--serial file= /nowhere/serial", "give a path that can be written");
}

Test(open, no_kvm)
{
	struct fd kvm;

	no_kvm = ENOENT;
	cr_expect_eq(kvm_open(&kvm, &err), -ENOENT);
	cr_expect(strstr(err.msg, "/dev/kvm: there is no KVM here") && strstr(err.msg, "modprobe kvm_intel"),
		"%s", err.msg);
	no_kvm = EIO;
	cr_expect_eq(kvm_open(&kvm, &err), -EIO);
	cr_expect(strstr(err.msg, "/dev/kvm: ") && strstr(err.msg, "Input/output error"), "%s", err.msg);
}

/* Given by mistake it does not hold us up. */
Test(open, a_fifo)
{
	int reader;

	cr_assert_eq(mkfifo(missing, 0600), 0);
	opening.opts.kernel = missing;
	cr_assert_eq(files_open(&opening, &err), 0, "what it holds is the core's to say");
	reader = opening.files.kernel.n;
	opening.opts.kernel = kernel;
	opening.opts.serial = CONSOLE_FILE;
	opening.opts.serial_path = missing;
	cr_expect_eq(files_open(&opening, &err), 0, "we read it ourselves: %s", err.msg);
	close(reader);
	refused(-ENXIO, "a FIFO nobody reads", "give a path");
}

Test(open, a_serial_file_is_made_and_appended_to)
{
	struct stat st;

	opening.opts.serial = CONSOLE_FILE;
	opening.opts.serial_path = missing;
	cr_assert_eq(files_open(&opening, &err), 0, "%s", err.msg);
	cr_expect(stat(missing, &st) == 0 && (st.st_mode & 07777) == (0640 & ~umask(022)));
	cr_expect((fcntl(opening.files.serial_out.n, F_GETFL) & (O_APPEND | O_NONBLOCK | O_ACCMODE)) ==
		(O_APPEND | O_NONBLOCK | O_WRONLY));
}

/* Our own view of the pipe does not block; who shares it with us notices nothing. */
Test(open, standard_output_does_not_become_non_blocking)
{
	int out[2], in[2], status;
	pid_t pid;

	cr_assert(pipe(out) == 0 && pipe(in) == 0);
	pid = fork(); /* the numbers are somebody else's here */
	if (pid == 0) {
		if (dup2(in[0], OPEN_FD_STDIN) < 0 || dup2(out[1], OPEN_FD_STDOUT) < 0)
			_exit(1);
		opening.opts.serial = CONSOLE_TTY;
		if (files_open(&opening, &err) < 0 || opening.files.serial_in.n < 0)
			_exit(2);
		if (!(fcntl(opening.files.serial_out.n, F_GETFL) & O_NONBLOCK))
			_exit(3);
		_exit(fcntl(out[1], F_GETFL) & O_NONBLOCK ? 4 : 0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0, "0x%x", status);
}

/* ---- told -------------------------------------------------------------------------------------- */

static int null(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static const Bulkhead__Packet *hear(struct chan *who, unsigned n_fds)
{
	msg_done(&msg);
	cr_assert_eq(chan_recv(who, &msg, 100, &err), 0, "%s", err.msg);
	cr_expect_eq(msg.frame.n_fds, n_fds);
	return msg.packet;
}

Test(open, the_machine)
{
	const Bulkhead__CoreConfig *told;
	int before = census_fds(0);

	opening.files.kvm.n = null();
	opening.files.kernel.n = null();
	opening.files.initramfs.n = null();
	opening.files.serial_out.n = null();
	opening.opts.cmdline = "quiet";
	opening.opts.serial = CONSOLE_FILE;
	opening.opts.serial_limit = 1 * MiB;
	opening.opts.ram.prefault = true;
	cr_assert_eq(tell_config(&opening, &err), 0, "%s", err.msg);
	cr_expect_eq(census_fds(0), before, "nothing is kept");
	cr_expect_eq(hear(&core, 1)->body_case, BULKHEAD__PACKET__BODY_CORE_CONSOLE, "first");
	told = hear(&core, 3)->core_config;
	cr_expect(told->vcpus == 2 && told->max_vcpus == 4 && told->threads_per_core == 2 &&
		told->cores_per_die == 2 && told->dies_per_package == 1 && told->packages == 1);
	cr_expect(told->memory == 64 * MiB && told->hugepage_size == 2 * MiB && told->prefault &&
		!told->hugepages && !told->on_node && told->node_cpus.len == 0);
	cr_expect(told->initramfs && strcmp(told->cmdline, "quiet") == 0 && told->serial == CONSOLE_FILE &&
		told->serial_limit == 1 * MiB && !told->terminal && told->shutdown_timeout_s == 60);
}

Test(open, a_machine_without_what_may_be_missing)
{
	const Bulkhead__CoreConfig *told;

	opening.files.kvm.n = null();
	opening.files.kernel.n = null();
	cr_assert_eq(tell_config(&opening, &err), 0, "%s", err.msg);
	told = hear(&core, 2)->core_config;
	cr_expect(!told->initramfs && told->cmdline[0] == '\0');
	cr_expect_eq(chan_recv(&core, &msg, 0, &err), -ETIMEDOUT, "no console");
}

Test(open, a_command_line_that_fits_no_message)
{
	static char text[FRAME_MAX + 1];

	memset(text, 'x', sizeof(text) - 1);
	opening.files.kvm.n = null();
	opening.files.kernel.n = null();
	opening.opts.cmdline = text;
	cr_expect_eq(tell_config(&opening, &err), -EMSGSIZE);
	cr_expect(strstr(err.msg, "--cmdline is too long"), "%s", err.msg);
}

/* Two by one group, one by its node, one that has none. */
static void four_devices(void)
{
	static const enum word_kind kinds[] = {KIND_VFIO, KIND_VFIO, KIND_VDPA, KIND_NULL};

	opening.n_devices = opening.opts.n_devices = 4;
	opening.n_groups = 1;
	opening.groups[0] = (struct iommu_group){.number = 77, .fd = {null()}};
	opening.container.n = null();
	for (unsigned i = 0; i < 4; i++) {
		struct device_opt *opt = &opening.opts.devices[i];

		opt->kind = kinds[i];
		opt->devfn = i << 3;
		snprintf(opt->id, sizeof(opt->id), "id%u", i);
		snprintf(opening.devices[i].name, sizeof(opening.devices[i].name), "dev%u", i);
	}
	opening.devices[0].group = opening.devices[1].group = 0;
	opening.devices[0].rom.n = null();
	opening.opts.devices[0].rom = "file";
	opening.opts.devices[1].rom = "off";
	opening.opts.devices[1].trapped = 5;
	opening.opts.devices[1].p2p = true;
	opening.opts.devices[1].token = (struct vf_token){.given = true, .uuid = {9}};
	opening.devices[2].node.n = null();
	opening.devices[2].watch.n = null();
	opening.devices[2].silence_s = 30;
	opening.opts.devices[2].num_queues = 4;
}

Test(open, devices_are_told_to_the_broker)
{
	const Bulkhead__BrokerDevice *told;
	int before = census_fds(0);

	four_devices();
	cr_assert_eq(tell_devices(&opening, 0, &err), 0, "%s", err.msg);
	cr_expect_eq(census_fds(0), before, "nothing is kept");
	cr_expect(!hear(&broker, 1)->broker_config->iommufd);
	told = hear(&broker, 1)->broker_device; /* the group comes with its first */
	cr_expect(told->slot == 0 && told->generation == 6 && told->kind == KIND_VFIO && told->has_group &&
		told->group == 77 && !told->bound && told->vf_token.len == 0);
	cr_expect_str_eq(told->name, "dev0");
	told = hear(&broker, 0)->broker_device;
	cr_expect(told->slot == 1 && told->has_group && told->vf_token.len == 16 && told->vf_token.data[0] == 9);
	told = hear(&broker, 2)->broker_device;
	cr_expect(told->slot == 2 && told->kind == KIND_VDPA && !told->has_group && told->num_queues == 4 &&
		told->silence_s == 30);
	told = hear(&broker, 0)->broker_device;
	cr_expect(told->slot == 3 && told->kind == KIND_NULL && !told->has_group && !told->bound);
}

/* No path, no group, no descriptor but a ROM's. */
Test(open, and_to_the_core)
{
	const Bulkhead__CoreDevice *told;

	four_devices();
	cr_assert_eq(tell_devices(&opening, 0, &err), 0, "%s", err.msg);
	told = hear(&core, 1)->core_device;
	cr_expect(told->slot == 0 && told->generation == 6 && told->kind == KIND_VFIO && told->devfn == 0 &&
		told->rom == ROM_FILE && !told->p2p);
	cr_expect(strcmp(told->name, "dev0") == 0 && strcmp(told->id, "id0") == 0);
	told = hear(&core, 0)->core_device;
	cr_expect(told->slot == 1 && told->devfn == 8 && told->trapped == 5 && told->p2p &&
		told->rom == ROM_OFF);
	told = hear(&core, 0)->core_device;
	cr_expect(told->slot == 2 && told->kind == KIND_VDPA && told->rom == ROM_OWN);
	hear(&core, 0);
	cr_assert_eq(tell_go(&opening, &err), 0);
	cr_expect_eq(hear(&core, 0)->core_go->devices, 4);
}

/* By iommufd a device's own node goes with it, though it is of a group. */
Test(open, by_iommufd)
{
	const Bulkhead__BrokerDevice *told;

	four_devices();
	fd_close(&opening.container);
	fd_close(&opening.groups[0].fd);
	opening.iommufd.n = null();
	opening.devices[0].node.n = null();
	opening.devices[1].node.n = null();
	cr_assert_eq(tell_devices(&opening, 0, &err), 0, "%s", err.msg);
	cr_expect(hear(&broker, 1)->broker_config->iommufd);
	for (unsigned i = 0; i < 2; i++) {
		told = hear(&broker, 1)->broker_device;
		cr_expect(told->slot == i && told->bound && told->has_group && told->group == 77);
	}
}

/* It has said why itself, or the launcher does: one line a cause. */
Test(open, one_that_has_ended_is_not_complained_of)
{
	four_devices();
	chan_close(&broker);
	cr_expect_eq(tell_devices(&opening, 0, &err), -EPIPE);
	cr_expect_str_eq(err.msg, "");
}
