/* SPDX-License-Identifier: Apache-2.0
 *
 * Parsing the command line.
 *
 * Launcher and opener, first thing. Options are rows of a table; nothing is opened or looked
 * up here. Strings point into argv.
 */
#include "helpers/opts/opts.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers/opts/opts_api.h"
#include "helpers/opts/opts_device.h"
#include "helpers/opts/opts_machine.h"
#include "helpers/opts/opts_value.h"

struct option {
	const char *name;
	char letter;     /* the short form, 0: none */
	bool repeatable;
	const char *arg; /* what it takes, for messages and help; NULL: nothing */
	const char *help;
	int (*set)(struct opts *opts, const char *value, struct err *err);
	size_t text;     /* in place of set: the field that takes the value as it is */
	bool optional;   /* its argument may be missing */
};

static int set_console(struct opts *opts, const char *value, struct err *err)
{
	(void)opts;
	if (strcmp(value, "off") == 0)
		return 0;
	return refuse(err, "--console: «%s»: there is no virtio console (Cloud Hypervisor's default, "
		"--console tty); give --console off and use --serial tty", value);
}

static int set_platform(struct opts *opts, const char *value, struct err *err)
{
	struct key keys[] = {{"iommufd", true, ""}, {NULL, false, ""}};
	int r = parse_keys("--platform", value, keys, err);

	if (r < 0)
		return r;
	if (strcmp(keys[0].value, "auto") == 0)
		opts->iommufd = IOMMUFD_AUTO;
	else if (strcmp(keys[0].value, "on") == 0)
		opts->iommufd = IOMMUFD_ON;
	else if (strcmp(keys[0].value, "off") == 0)
		opts->iommufd = IOMMUFD_OFF;
	else
		return refuse(err, "--platform iommufd: «%s» is not one of auto, on, off",
			keys[0].value);
	return 0;
}

static int set_seccomp(struct opts *opts, const char *value, struct err *err)
{
	if (strcmp(value, "true") == 0)
		opts->seccomp = SECCOMP_MODE_KILL;
	else if (strcmp(value, "log") == 0)
		opts->seccomp = SECCOMP_MODE_LOG;
	else if (strcmp(value, "false") == 0)
		opts->seccomp = SECCOMP_MODE_OFF;
	else
		return refuse(err, "--seccomp: «%s» is not one of true, log, false", value);
	return 0;
}

static int set_degraded(struct opts *opts, const char *value, struct err *err)
{
	(void)value, (void)err;
	opts->allow_degraded = true;
	return 0;
}

static int set_shutdown_timeout(struct opts *opts, const char *value, struct err *err)
{
	opts->shutdown_given = true;
	opts->shutdown_timeout_s = 0;
	return strcmp(value, "0") == 0 ? 0 : parse_count("--shutdown-timeout", value,
		SHUTDOWN_TIMEOUT_MAX_S, &opts->shutdown_timeout_s, err);
}

static int set_verbose(struct opts *opts, const char *value, struct err *err)
{
	(void)value, (void)err;
	opts->verbose++;
	return 0;
}

static int set_version(struct opts *opts, const char *value, struct err *err)
{
	(void)value, (void)err;
	opts->version = true;
	return 0;
}

static int set_help(struct opts *opts, const char *value, struct err *err)
{
	(void)value, (void)err;
	opts->help = true;
	return 0;
}

#define TEXT(field) NULL, offsetof(struct opts, field), false

static const struct option options[] = {
	{"--kernel", 0, false, "FILE", "bzImage, or vmlinux with a PVH entry", TEXT(kernel)},
	{"--initramfs", 0, false, "FILE", "initramfs", TEXT(initramfs)},
	{"--cmdline", 0, false, "TEXT", "the kernel's command line", TEXT(cmdline)},
	{"--cpus", 0, false, "boot=N[,…]", "vCPUs, 1 to 1024 (default 1); also\n"
		"topology=THREADS:CORES:DIES:PACKAGES (a core, a die, a\n"
		"package, in all), max=N (taken, and the topology's\n"
		"product; vCPUs beyond boot= cannot be added yet)", opts_cpus, 0, false},
	{"--memory", 0, false, "size=N[,…]", "guest RAM, like 512M, 5G (default 512M); also\n"
		"hugepages=on, hugepage_size=2M|1G, prefault=on,\n"
		"host_numa_node=N (all of it on that node of the host)", opts_memory, 0, false},
	{"--device", 0, true, "path=P[,KEY=V] …", "pass a PCI device through, by its sysfs directory;\n"
		"it must be bound to a VFIO driver; several may follow; also\n"
		"id=X, pci_device_id=N[,pci_function=N] (its place on\n"
		"the guest's bus; functions of one device keep together),\n"
		"rom=FILE|off (in place of its expansion ROM),\n"
		"vf_token=UUID (of a virtual function whose physical one\n"
		"is on vfio-pci, too: the one that was set there),\n"
		"x_exclude_mmap_bars=[N,…] (BARs to trap, not to map),\n"
		"x_p2p=on|off (other devices reach its BARs by DMA)", opts_device, 0,
		false},
	{"--vdpa", 0, true, "path=P[,KEY=V] …", "a vDPA device by its node, /dev/vhost-vdpa-N; also\n"
		"num_queues=N (default the device's own), id=X,\n"
		"pci_device_id=N[,pci_function=N]", opts_vdpa, 0, false},
	{"--serial", 0, false, "tty|file=P[,size=N]|null|off", "COM1 (default tty; leave with Ctrl-A x); to a file it\n"
		"is appended, and at size= dropped until the file is\n"
		"truncated", opts_serial, 0, false},
	{"--console", 0, false, "off", "there is no virtio console", set_console, 0, false},
	{"--platform", 0, false, "iommufd=auto|on|off", "devices by iommufd, or by group and type1\n"
		"container (default auto: iommufd where the host has it)", set_platform, 0, false},
	{"--null", 0, true, "[id=X]", "a device that does nothing, for tests", opts_null, 0, true},
	{"--seccomp", 0, false, "true|log|false", "system call filters (default true)", set_seccomp,
		0, false},
	{"--user", 0, false, "NAME|UID[:GID]", "the VM's own user; files and devices are opened\n"
		"as root before", TEXT(user)},
	{"--shutdown-timeout", 0, false, "SECONDS", "what the guest has to power off in after a SIGTERM\n"
		"(default 60, with an API 0: it is not asked)", set_shutdown_timeout, 0, false},
	{"--api-socket", 0, false, "path=P|fd=N", "create, boot and change the VM by HTTP on this Unix\n"
		"socket (docs/api.md); without --kernel none is made\n"
		"before a client asks for one", opts_api_socket, 0, false},
	{"--allow", 0, true, "KIND=PATH …", "what the API may name, by a file or a folder: ro= (kernels,\n"
		"initramfs, ROMs), device= (PCI and vDPA devices),\n"
		"serial= (files to write); nothing else is opened for it", opts_allow, 0, false},
	{"--status-socket", 0, false, "path=P|fd=N", "the same, read-only, for monitors",
		opts_status_socket, 0, false},
	{"--event-monitor", 0, false, "path=P|fd=N", "what happens, as JSON, to a file or a FIFO",
		opts_event_monitor, 0, false},
	{"--no-shutdown", 0, false, NULL, "with an API: a guest that powers off ends the VM only",
		opts_no_shutdown, 0, false},
	{"--max-cpus", 0, false, "N", "what the API may ask for at most (default 1024)", opts_max_cpus, 0,
		false},
	{"--max-memory", 0, false, "SIZE", "likewise (default: what the host has)", opts_max_memory, 0,
		false},
	{"--max-devices", 0, false, "N", "likewise (default 30)", opts_max_devices, 0, false},
	{"--allow-degraded", 0, false, NULL, "start although a layer of confinement is missing",
		set_degraded, 0, false},
	{"--log-file", 0, false, "FILE", "messages go there instead of standard error",
		TEXT(log_file)},
	{"-v", 'v', true, NULL, "say more; -vv for everything", set_verbose, 0, false},
	{"--version", 'V', true, NULL, "print the version (-V)", set_version, 0, false},
	{"--help", 'h', true, NULL, "print this (-h)", set_help, 0, false},
};

enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

/* Matches "--name", "--name=value" and "-x". Returns the row, or OPTIONS. */
static unsigned match(char *arg, char **ret_value)
{
	size_t len = strcspn(arg, "=");

	*ret_value = arg[len] ? arg + len + 1 : NULL;
	for (unsigned i = 0; i < OPTIONS; i++) {
		if (options[i].letter && arg[0] == '-' && arg[1] == options[i].letter && !arg[2])
			return i;
		if (strlen(options[i].name) == len && strncmp(options[i].name, arg, len) == 0)
			return i;
	}
	return OPTIONS;
}

/* -vvv */
static bool all_v(const char *arg, unsigned *ret_n)
{
	size_t n = arg[0] == '-' ? strspn(arg + 1, "v") : 0;

	*ret_n = (unsigned)n;
	return n > 1 && arg[1 + n] == '\0';
}

struct cursor {
	int argc, at;
	char **argv;
	bool seen[OPTIONS];
};

/* The option's values: after "=", or the next words; a repeatable one takes all up to the next
 * option, like Cloud Hypervisor's. */
static int take_values(struct cursor *c, const struct option *o, char *value,
	struct opts *opts, struct err *err)
{
	bool more = true;

	if (!o->arg) {
		if (value)
			return refuse(err, "%s: it takes no value", o->name);
		return o->set(opts, NULL, err);
	}
	if (!value && c->at + 1 < c->argc && c->argv[c->at + 1][0] != '-')
		value = c->argv[++c->at];
	if (!value && o->optional)
		return o->set(opts, NULL, err);
	if (!value)
		return refuse(err, "%s: its value is missing: %s", o->name, o->arg);
	if (!o->set) {
		*(const char **)((char *)opts + o->text) = value;
		return 0;
	}
	while (more) {
		int r = o->set(opts, value, err);

		if (r < 0)
			return r;
		if (o->set == opts_device)
			opts_device_hide(value);
		more = o->repeatable && c->at + 1 < c->argc && c->argv[c->at + 1][0] != '-';
		if (more)
			value = c->argv[++c->at];
	}
	return 0;
}

static int take_option(struct cursor *c, struct opts *opts, struct err *err)
{
	char *arg = c->argv[c->at], *value;
	unsigned i, n;

	if (all_v(arg, &n)) {
		opts->verbose += n;
		return 0;
	}
	i = match(arg, &value);
	if (i == OPTIONS)
		/* Not what follows, which may be a secret. */
		return refuse(err, "«%.*s» is no option of bulkhead; see bulkhead --help",
			(int)(strcspn(arg, "=") < 80 ? strcspn(arg, "=") : 80), arg);
	if (c->seen[i] && !options[i].repeatable)
		return refuse(err, "%s is given twice", options[i].name);
	c->seen[i] = true;
	return take_values(c, &options[i], value, opts, err);
}

int opts_parse(int argc, char **argv, struct opts *ret, struct err *err)
{
	struct cursor c = {.argc = argc, .argv = argv};
	struct opts opts = {
		.cpus = {1, 1, 1, 1, 1, 1},
		.ram = {.size = 512 * MiB, .hugepage_size = 2 * MiB},
		.serial = CONSOLE_TTY,
		.seccomp = SECCOMP_MODE_KILL,
		.api = {NULL, -1}, .status = {NULL, -1}, .events = {NULL, -1},
		.max_cpus = VCPUS_MAX, .max_devices = VM_SLOTS,
	};
	int r;

	for (c.at = 1; c.at < argc; c.at++) {
		r = take_option(&c, &opts, err);
		if (r < 0)
			return r;
	}
	r = opts_check_api(&opts, err);
	if (r < 0)
		return r;
	if (!opts.kernel && !opts_has_api(&opts) && !opts.help && !opts.version)
		return refuse(err, "--kernel is missing; give a bzImage or a PVH vmlinux (bulkhead "
			"--help says more)");
	r = opts_check_places(&opts, err);
	if (r == 0)
		*ret = opts;
	return r;
}

void opts_help(void)
{
	enum { COLUMN = 32 }; /* where what an option does is told */

	printf("bulkhead v" BULKHEAD_VERSION ": runs a Linux guest with PCI devices of its own, each "
	       "driven by a\nsandboxed process of its own.\n\n"
	       "  bulkhead --kernel bzImage --initramfs initrd.img --cmdline console=ttyS0 \\\n"
	       "      --cpus boot=2 --memory size=1G --device path=/sys/bus/pci/devices/0000:01:00.0\n"
	       "\n");
	for (unsigned i = 0; i < OPTIONS; i++) {
		const struct option *o = &options[i];
		const char *line = o->help;
		int width = printf("  %s %s", o->name, o->arg ? o->arg : "");

		/* printf counts bytes: an ellipsis is three of them and one column. */
		if (o->arg && strstr(o->arg, "…"))
			width -= 2;
		if (width >= COLUMN)
			width = printf("\n") - 1;
		for (; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
			printf("%*s%.*s\n", COLUMN - width, "", (int)strcspn(line, "\n"), line);
			width = 0;
		}
	}
}

void opts_help_end(void)
{
	printf("\nSIGTERM, SIGINT: press the guest's power button; once more: end the VM, as SIGQUIT does at\n"
	       "once, and as all three do before the guest runs. SIGUSR1: print exits to user space, by\n"
	       "reason. SIGHUP does nothing.\n"
	       "Ends with 0 when the guest has powered off, 1 when it cannot be started, 2 when it cannot\n"
	       "go on, 3 when it was cut off: by a second signal, after the time-out, by Ctrl-A x. With an\n"
	       "API signals end it with 0, too.\n");
}
