/* SPDX-License-Identifier: Apache-2.0
 *
 * A 16550A UART at COM1, its output to a descriptor, its input from one (PC16550D data sheet).
 *
 * Core process: registers by vCPU threads, input by the main thread; one lock inside. A guest
 * that prints to a descriptor nobody reads loses the text, never the vCPU.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "vmm/pci/bus.h"
#include "vmm/kvm/irq.h"
#include "vmm/platform/serial_out.h"

enum { SERIAL_FIFO = 64 };

struct serial {
	pthread_mutex_t lock;
	struct irq *irq;
	struct serial_out out;
	uint8_t ier, lcr, mcr, scr, dll, dlm, fcr;
	bool thri_pending; /* transmitter-empty interrupt not yet seen through IIR */
	int level;         /* of the interrupt line */
	uint8_t in[SERIAL_FIFO];
	unsigned in_head, in_len;
	int room_fd; /* eventfd the main thread polls: signalled when input room is made */
};

/* out: where output goes, borrowed; -1: nowhere. */
int serial_init(struct serial *serial, struct bus *pio, struct irq *irq, int out);
void serial_reset(struct serial *serial);
/* How many bytes of input fit now. */
size_t serial_room(struct serial *serial);
void serial_input(struct serial *serial, const uint8_t *data, size_t len);
