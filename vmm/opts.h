/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line: one table row an option, Cloud Hypervisor's spelling.
 */
#pragma once

#include <stdbool.h>

#include "ipc/token.h"
#include "seccomp/policy.h"
#include "vmm/kvm/cpus.h"
#include "vmm/kvm/ram.h"

enum { DEVICES_MAX = 30, ID_MAX = 64 };

/* --platform iommufd=: how the broker reaches VFIO devices. */
enum iommufd_opt { IOMMUFD_AUTO, IOMMUFD_ON, IOMMUFD_OFF };

enum serial_mode { SERIAL_NULL, SERIAL_TTY, SERIAL_FILE, SERIAL_OFF };

struct device_opt {
	const char *kind; /* "vfio", "vdpa", "null": the helper that drives it */
	const char *path; /* as given; NULL for null */
	unsigned num_queues; /* vdpa; 0: the device's own number */
	unsigned devfn;      /* on the guest's bus, device << 3 | function; 0: any free device */
	const char *rom;     /* vfio: a file in place of its ROM, "off", or NULL */
	void *rom_image;     /* what rom_read_file made of it; rom_size bytes, whole pages */
	uint64_t rom_size;   /* a power of two */
	struct vf_token token; /* vfio */
	bool p2p;            /* vfio: the VM's devices reach its BARs by DMA */
	unsigned trapped;    /* vfio: a bit for each BAR that is not mapped into the guest */
	char id[ID_MAX];
};

struct opts {
	const char *kernel, *initramfs, *cmdline;
	struct cpus cpus;
	struct ram_options ram;
	enum serial_mode serial;
	const char *serial_path;
	uint64_t serial_limit; /* of that file; 0: none */
	unsigned n_devices;
	struct device_opt devices[DEVICES_MAX];
	enum iommufd_opt iommufd;
	enum seccomp_mode seccomp;
	const char *log_file, *user;
	unsigned shutdown_timeout_s;
	unsigned verbose;
	bool help, version, allow_degraded;
};

/* Fills *ret from argv; strings point into argv, where secrets are made unreadable. -EINVAL with a
 * message that names the option, what is wrong with it and what would be right. */
int opts_parse(int argc, char **argv, struct opts *ret, struct err *err);
void opts_help(void);
