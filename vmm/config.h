/* SPDX-License-Identifier: Apache-2.0
 *
 * The VM's configuration as the core has it: numbers, and descriptors that somebody else opened.
 *
 * Core process, main thread. What the opener says is the operator's, so a number that cannot be is a
 * bug; it is looked at all the same, as everything here is built on them.
 */
#pragma once

#include <sched.h>

#include "ipc/chan.h"
#include "ipc/config.h"
#include "ipc/words.h"
#include "vmm/pci/layout.h"

struct config {
	bool told; /* all but devices */
	struct cpus cpus;
	struct ram_options ram;
	cpu_set_t node_cpus; /* of the node RAM is bound to; none: of no node, or one without */
	bool has_cmdline;
	char cmdline[CMDLINE_MAX + 1]; /* one more than any kernel takes: too long is seen */
	enum console_mode serial;
	uint64_t serial_limit; /* of its file; 0: none */
	bool terminal;         /* what it reads is one */
	unsigned shutdown_timeout_s;
	struct fd kvm, kernel, initramfs, serial_out, serial_in;
};

/* A device of the VM's. */
struct device_config {
	enum word_kind kind;
	char name[64], id[ID_MAX];
	unsigned devfn;      /* on the guest's bus, device << 3 | function; 0: any free device */
	unsigned trapped;    /* a bit for each BAR that is not mapped into the guest */
	bool p2p;            /* the VM's devices reach its BARs by DMA */
	enum rom_mode rom;
	void *rom_image;     /* of ROM_FILE: what rom_read_file made of it; whole pages */
	uint64_t rom_size;   /* a power of two */
};

void config_init(struct config *config);
/* Take the message's descriptors. 0, or -EBADMSG. */
int config_take(struct config *config, struct msg *msg, struct err *err);
/* What the serial port writes to and reads from: before the rest. */
int config_take_console(struct config *config, struct msg *msg, struct err *err);
/* But for the ROM's image. */
int config_take_device(const Bulkhead__CoreDevice *told, struct device_config *ret, struct err *err);

/* Is any of the descriptors we write to a regular file? (RLIMIT_FSIZE would end us.) */
bool config_grows(const struct config *config);
