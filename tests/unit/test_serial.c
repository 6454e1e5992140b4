/* SPDX-License-Identifier: Apache-2.0
 *
 * links: vmm/pci/bus.c vmm/platform/serial.c vmm/platform/serial_out.c
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vmm/pci/layout.h"
#include "vmm/platform/serial.h"

static struct bus pio;
static struct irq irq;
static struct serial serial;
static int line, from_guest;

int irq_line(struct irq *which, uint32_t gsi, int level)
{
	cr_expect(which == &irq && gsi == COM1_IRQ);
	cr_expect(level != line, "told twice");
	line = level;
	return 0;
}

static void make(void)
{
	int pipes[2];

	cr_assert(pipe2(pipes, O_NONBLOCK) == 0);
	from_guest = pipes[0];
	bus_init(&pio);
	cr_assert(serial_init(&serial, &pio, &irq, pipes[1]) == 0);
}

static uint8_t in(unsigned reg)
{
	uint8_t value;

	cr_assert(bus_read(&pio, COM1_PORT + reg, &value, 1));
	return value;
}

static void out(unsigned reg, uint8_t value)
{
	cr_assert(bus_write(&pio, COM1_PORT + reg, &value, 1));
}

static void type(const char *text)
{
	serial_input(&serial, (const uint8_t *)text, strlen(text));
}

Test(serial, output_comes_out, .init = make)
{
	char got[3] = "";

	out(0, 'h');
	out(0, 'i');
	cr_expect(in(5) == 0x60, "always empty");
	cr_expect(read(from_guest, got, 2) == 2 && strcmp(got, "hi") == 0);
}

/* drivers/tty/serial/8250/8250_port.c autoconfig and autoconfig_16550a, step by step. */
Test(serial, linux_finds_a_16550a, .init = make)
{
	uint8_t iir;

	out(1, 0);
	cr_expect((in(1) & 0x0f) == 0);
	out(1, 0x0f);
	cr_expect((in(1) & 0x0f) == 0x0f);
	out(1, 0);
	out(4, 0x1a); /* LOOP | OUT2 | RTS */
	cr_expect((in(6) & 0xf0) == 0x90);
	out(4, 0);
	out(3, 0xbf);
	out(2, 0);
	out(3, 0);
	out(2, 1);
	cr_expect(in(2) >> 6 == 3, "16550A");
	out(3, 0x80);
	cr_expect(in(2) != 0, "no EFR");
	out(3, 0xbf);
	cr_expect(in(2) != 0, "no EFR");
	out(3, 0);
	out(2, 1 | 0x20);
	iir = in(2) >> 5;
	out(2, 1);
	out(3, 0x80);
	out(2, 1 | 0x20);
	cr_expect(!(iir == 6 && in(2) >> 5 == 7), "not a 16750");
	out(3, 0);
	out(1, 0x40);
	cr_expect((in(1) & 0x40) == 0, "no XScale");
}

Test(serial, divisor_latch_hides_data_and_ier, .init = make)
{
	out(3, 0x83);
	cr_expect(in(0) == 12 && in(1) == 0, "9600 baud after reset");
	out(0, 1);
	out(1, 2);
	cr_expect(in(0) == 1 && in(1) == 2);
	out(3, 3);
	cr_expect(in(1) == 0 && in(3) == 3);
	out(7, 0x5a);
	cr_expect(in(7) == 0x5a);
}

Test(serial, transmitter_interrupt, .init = make)
{
	out(2, 1);
	cr_expect(line == 0 && in(2) == 0xc1);
	out(1, 2);
	cr_expect(line == 1, "empty when enabled: at once");
	cr_expect(in(2) == 0xc2);
	cr_expect(line == 0 && in(2) == 0xc1, "reading IIR acknowledges it");
	out(0, 'x');
	cr_expect(line == 1 && in(2) == 0xc2 && line == 0);
	out(0, 'x');
	out(1, 0);
	cr_expect(line == 0, "disabled");
}

Test(serial, receiver_interrupt_comes_first, .init = make)
{
	out(2, 0x41); /* FIFO, trigger at 4 */
	out(1, 3);
	type("ab");
	cr_expect(in(2) == 0xcc, "below the trigger: time-out");
	type("cd");
	cr_expect(in(2) == 0xc4, "at the trigger");
	cr_expect(in(5) == 0x61);
	cr_expect(in(0) == 'a' && in(0) == 'b' && in(0) == 'c' && in(0) == 'd');
	cr_expect(in(5) == 0x60);
	cr_expect(in(2) == 0xc2, "then the transmitter");
	cr_expect(line == 0 && in(0) == 0, "empty");
}

Test(serial, loopback_and_fifo_clear, .init = make)
{
	out(2, 1);
	out(4, 0x10);
	out(0, 'l');
	cr_expect(in(5) & 1);
	cr_expect(in(0) == 'l');
	out(0, 'm');
	out(2, 3);
	cr_expect(!(in(5) & 1), "cleared");
	cr_expect(in(6) == 0);
	out(4, 0x0f | 0x10);
	cr_expect(in(6) == 0xf0);
	out(4, 0x0f);
	cr_expect(in(6) == 0xb0, "without loop: ready");
}

Test(serial, input_is_bounded_and_says_when_there_is_room, .init = make)
{
	struct pollfd p = {.fd = serial.room_fd, .events = POLLIN};

	cr_expect(serial_room(&serial) == SERIAL_FIFO);
	for (unsigned i = 0; i < SERIAL_FIFO; i++)
		type("x");
	cr_expect(serial_room(&serial) == 0);
	type("lost");
	cr_expect(poll(&p, 1, 0) == 0);
	cr_expect(in(0) == 'x');
	cr_expect(poll(&p, 1, 0) == 1 && serial_room(&serial) == 1);
}

Test(serial, nobody_reading_costs_one_wait, .init = make)
{
	struct timespec began, now;
	char sink[4096];

	while (write(serial.out.fd, "................", 16) > 0)
		;
	clock_gettime(CLOCK_MONOTONIC, &began);
	for (unsigned i = 0; i < 10000; i++)
		out(0, 'x');
	clock_gettime(CLOCK_MONOTONIC, &now);
	cr_expect(serial.out.stalled && now.tv_sec - began.tv_sec < 2);
	while (read(from_guest, sink, sizeof(sink)) > 0)
		;
	out(0, 'y');
	cr_expect(!serial.out.stalled && read(from_guest, sink, sizeof(sink)) == 1);
}

Test(serial, reset_keeps_what_was_typed, .init = make)
{
	out(2, 1);
	out(1, 0x0f);
	out(3, 0x83);
	out(4, 0x1f);
	type("k");
	serial_reset(&serial);
	cr_expect(line == 0);
	cr_expect(in(1) == 0 && in(2) == 1 && in(3) == 0 && in(4) == 0);
	cr_expect(in(0) == 'k');
}

Test(serial, wide_accesses_are_bytes, .init = make)
{
	uint8_t wide[4] = {0};
	char got[2] = "";

	bus_write(&pio, COM1_PORT, (const uint8_t[]){'w', 0x05}, 2);
	cr_expect(read(from_guest, got, 1) == 1 && got[0] == 'w' && in(1) == 5);
	bus_read(&pio, COM1_PORT + 4, wide, 4);
	cr_expect(wide[0] == 0 && wide[1] == 0x60 && wide[2] == 0xb0 && wide[3] == 0);
}
