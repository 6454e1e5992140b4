/* SPDX-License-Identifier: Apache-2.0
 *
 * The UART's registers under a hostile driver, with input coming in between. The line is up exactly
 * when the IIR says why.
 *
 * fuzzes: vmm/platform/serial.c
 * links: vmm/platform/serial.c vmm/platform/serial_out.c vmm/pci/bus.c
 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>

#include "vmm/pci/layout.h"
#include "vmm/platform/serial.h"

enum { REGS = 8, IIR = 2, IIR_NONE = 1 };

static struct bus pio;
static struct irq irq;
static struct serial serial;
static int line, sink;

int irq_line(struct irq *which, uint32_t gsi, int level)
{
	require(which == &irq && gsi == COM1_IRQ && level != line);
	line = level;
	return 0;
}

static void begin(bool heard)
{
	if (!pio.n) {
		bus_init(&pio);
		sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
		require(serial_init(&serial, &pio, &irq, sink) == 0);
	}
	serial_reset(&serial);
	serial.in_len = serial.in_head = 0;
	serial.out.fd = heard ? sink : -1;
	require(line == 0);
}

static void one(struct input *in)
{
	unsigned op = (unsigned)take(in, 1), size = 1u << (op >> 5 & 3);
	uint64_t at = COM1_PORT + (op & 7);
	uint8_t data[8];
	struct input text;

	if (op == 0xff) {
		serial_reset(&serial);
		require(line == 0);
	} else if (op >= 0xf0) {
		text = take_bytes(in, op & 0x0f);
		serial_input(&serial, text.at, (size_t)(text.end - text.at));
	} else if (op & 0x80) {
		bus_read(&pio, at, data, size);
	} else {
		memcpy(data, &(uint64_t){take(in, size)}, sizeof(data));
		bus_write(&pio, at, data, size);
	}
	require(serial.in_len <= SERIAL_FIFO && serial_room(&serial) == SERIAL_FIFO - serial.in_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = input_of(data, size);
	int before;
	uint8_t iir;

	begin(take(&in, 1) & 1);
	while (input_left(&in))
		one(&in);
	before = line;
	bus_read(&pio, COM1_PORT + IIR, &iir, 1);
	require((iir & IIR_NONE) == !before);
	return 0;
}
