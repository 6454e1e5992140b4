/* SPDX-License-Identifier: Apache-2.0
 *
 * From the opener's words to the configuration. Core process, main thread.
 */
#include "vmm/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/describe.h"
#include "seccomp/birth.h"
#include "vmm/pci/pci.h"

void config_init(struct config *config)
{
	*config = (struct config){.kvm = FD_NONE_INIT, .kernel = FD_NONE_INIT,
		.initramfs = FD_NONE_INIT, .serial_out = FD_NONE_INIT, .serial_in = FD_NONE_INIT};
}

/* Of what a field may be; the first that cannot be is named. */
struct field {
	const char *name;
	bool can_be;
};

static const char *first_wrong(const struct field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!fields[i].can_be)
			return fields[i].name;
	}
	return NULL;
}

static bool topology_fits(const struct cpus *cpus)
{
	uint64_t all = (uint64_t)cpus->threads * cpus->cores * cpus->dies * cpus->packages;

	return cpus->threads <= VCPUS_MAX && cpus->cores <= VCPUS_MAX && cpus->dies <= VCPUS_MAX &&
		all == cpus->max;
}

static const char *wrong_number(const struct config *config, const Bulkhead__CoreConfig *told)
{
	const struct ram_options *ram = &config->ram;
	const struct field fields[] = {
		{"vcpus", config->cpus.boot >= 1 && config->cpus.boot <= config->cpus.max},
		{"max_vcpus", config->cpus.max <= VCPUS_MAX},
		{"topology", topology_fits(&config->cpus)},
		{"memory", ram->size != 0},
		{"hugepage_size", ram->hugepage_size == 2 * MiB || ram->hugepage_size == GiB},
		{"node", ram->node < NUMA_NODES_MAX},
		{"node_cpus", !told->node_cpus.len || told->node_cpus.len == sizeof(config->node_cpus)},
		{"serial", told->serial <= CONSOLE_FILE},
		{"serial_limit", !config->serial_limit || config->serial_limit >= SERIAL_LIMIT_MIN},
		{"shutdown_timeout_s", config->shutdown_timeout_s <= SHUTDOWN_TIMEOUT_MAX_S},
	};

	return first_wrong(fields, sizeof(fields) / sizeof(fields[0]));
}

static void take_cmdline(struct config *config, const char *text)
{
	config->has_cmdline = text[0] != '\0';
	snprintf(config->cmdline, sizeof(config->cmdline), "%s", text);
}

static void take_numbers(struct config *config, const Bulkhead__CoreConfig *told)
{
	config->cpus = (struct cpus){.boot = told->vcpus, .max = told->max_vcpus,
		.threads = told->threads_per_core, .cores = told->cores_per_die,
		.dies = told->dies_per_package, .packages = told->packages};
	config->ram = (struct ram_options){.size = told->memory, .hugepages = told->hugepages,
		.hugepage_size = told->hugepage_size, .prefault = told->prefault,
		.on_node = told->on_node, .node = told->node};
	if (told->node_cpus.len == sizeof(config->node_cpus))
		memcpy(&config->node_cpus, told->node_cpus.data, sizeof(config->node_cpus));
	config->serial = (enum console_mode)told->serial;
	config->serial_limit = told->serial_limit;
	config->terminal = told->terminal;
	config->shutdown_timeout_s = told->shutdown_timeout_s;
}

int config_take(struct config *config, struct msg *msg, struct err *err)
{
	const Bulkhead__CoreConfig *told = msg->packet->core_config;
	const char *wrong;

	if (config->told)
		return err_set(err, -EBADMSG, BLAME_BUG, "opener: a second configuration");
	take_numbers(config, told);
	take_cmdline(config, told->cmdline);
	wrong = wrong_number(config, told);
	if (!wrong && told->initramfs != (msg->frame.n_fds == 3))
		wrong = "initramfs";
	if (wrong)
		return err_set(err, -EBADMSG, BLAME_BUG, "opener: a configuration that cannot be: %s",
			wrong);
	config->kvm = msg_fd(msg, 0);
	config->kernel = msg_fd(msg, 1);
	if (told->initramfs)
		config->initramfs = msg_fd(msg, 2);
	config->told = true;
	return 0;
}

int config_take_console(struct config *config, struct msg *msg, struct err *err)
{
	if (config->told || config->serial_out.n >= 0)
		return err_set(err, -EBADMSG, BLAME_BUG, "opener: a console out of turn");
	config->serial_out = msg_fd(msg, 0);
	config->serial_in = msg_fd(msg, 1);
	return 0;
}

int config_take_device(const Bulkhead__CoreDevice *told, struct device_config *ret, struct err *err)
{
	const struct field fields[] = {
		{"kind", told->kind >= KIND_VFIO && told->kind < WORD_KINDS},
		{"name", strlen(told->name) < sizeof(ret->name)},
		{"id", strlen(told->id) < sizeof(ret->id)},
		{"devfn", told->devfn < PCI_DEVICES * PCI_FUNCTIONS},
		{"trapped", told->trapped < 1u << PCI_BARS},
		{"rom", told->rom <= ROM_FILE},
	};
	const char *wrong = first_wrong(fields, sizeof(fields) / sizeof(fields[0]));

	if (wrong)
		return err_set(err, -EBADMSG, BLAME_BUG, "opener: a device that cannot be: %s", wrong);
	*ret = (struct device_config){.kind = (enum word_kind)told->kind, .devfn = told->devfn,
		.trapped = told->trapped, .p2p = told->p2p, .rom = (enum rom_mode)told->rom};
	snprintf(ret->name, sizeof(ret->name), "%s", told->name);
	snprintf(ret->id, sizeof(ret->id), "%s", told->id);
	return 0;
}

static bool is_file(int fd)
{
	struct stat st;

	/* Not fstat(3): that is newfstatat(2) in glibc 2.33-2.38, which takes paths. */
	return fd >= 0 && syscall(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode);
}

bool config_grows(const struct config *config)
{
	return is_file(config->serial_out.n) || is_file(BIRTH_FD_LOG);
}
