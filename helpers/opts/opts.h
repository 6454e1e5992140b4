/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line: one table row an option, Cloud Hypervisor's spelling.
 */
#pragma once

#include <stdbool.h>

#include "ipc/config.h"
#include "ipc/token.h"
#include "ipc/words.h"
#include "seccomp/policy.h"

/* --platform iommufd=: how VFIO devices are reached. */
enum iommufd_opt { IOMMUFD_AUTO, IOMMUFD_ON, IOMMUFD_OFF };

struct device_opt {
	enum word_kind kind; /* the helper that drives it */
	const char *path; /* as given; NULL for null */
	unsigned num_queues; /* vdpa; 0: the device's own number */
	unsigned devfn;      /* on the guest's bus, device << 3 | function; 0: any free device */
	const char *rom;     /* vfio: a file in place of its ROM, "off", or NULL */
	struct vf_token token; /* vfio */
	bool p2p;            /* vfio: the VM's devices reach its BARs by DMA */
	unsigned trapped;    /* vfio: a bit for each BAR that is not mapped into the guest */
	char id[ID_MAX];
};

/* A socket or file: by its path, or a descriptor that we inherit; fd -1 and path NULL: none. */
struct place_opt {
	const char *path;
	int fd;
};

/* What the opener may open of what the API names. */
enum allow_kind { ALLOW_RO, ALLOW_DEVICE, ALLOW_SERIAL, ALLOW_KINDS };
const char *allow_name(enum allow_kind kind);

struct allow_opt {
	enum allow_kind kind;
	const char *path; /* a file or a folder, absolute */
};

enum { ALLOW_MAX = 64 };

struct opts {
	const char *kernel, *initramfs, *cmdline;
	struct cpus cpus;
	struct ram_options ram;
	enum console_mode serial;
	const char *serial_path;
	uint64_t serial_limit; /* of that file; 0: none */
	unsigned n_devices;
	struct device_opt devices[VM_SLOTS];
	enum iommufd_opt iommufd;
	enum seccomp_mode seccomp;
	const char *log_file, *user;
	unsigned shutdown_timeout_s;
	bool shutdown_given;
	struct place_opt api, status, events;
	unsigned n_allow;
	struct allow_opt allow[ALLOW_MAX];
	bool no_shutdown;
	unsigned max_cpus, max_devices; /* that the API may ask for */
	uint64_t max_memory;            /* bytes, 0: no limit */
	unsigned verbose;
	bool help, version, allow_degraded;
};

/* Fills *ret from argv; strings point into argv, where secrets are made unreadable. -EINVAL with a
 * message that names the option, what is wrong with it and what would be right. */
int opts_parse(int argc, char **argv, struct opts *ret, struct err *err);
bool opts_has_api(const struct opts *opts);
/* Options; and how a VM ends. Between them the caller has a word to say of its own. */
void opts_help(void);
void opts_help_end(void);
