/* SPDX-License-Identifier: Apache-2.0
 *
 * 16550A (National PC16550D data sheet; registers in its section 8).
 *
 * Core process: vCPU threads at the registers, the main thread at the input; all state under the
 * lock. There is no line and no baud rate: a byte is sent when it is written, so the transmitter
 * is always empty, and the modem on the other side is always ready.
 */
#include "vmm/platform/serial.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/pci/layout.h"

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR, REGS };

enum {
	IER_RDI = 0x01, IER_THRI = 0x02, IER_BITS = 0x0f,
	IIR_NONE = 0x01, IIR_THRI = 0x02, IIR_RDI = 0x04, IIR_TIMEOUT = 0x0c, IIR_FIFO = 0xc0,
	FCR_ENABLE = 0x01, FCR_CLEAR_RX = 0x02, FCR_KEPT = 0xc9,
	LCR_DLAB = 0x80,
	MCR_DTR = 0x01, MCR_RTS = 0x02, MCR_OUT1 = 0x04, MCR_OUT2 = 0x08, MCR_LOOP = 0x10,
	MCR_BITS = 0x1f,
	LSR_DATA = 0x01, LSR_THR_EMPTY = 0x20, LSR_EMPTY = 0x40,
	MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80,
};

/* Highest priority first (8.6.5). Line errors and modem changes do not occur. */
static uint8_t pending(const struct serial *serial)
{
	static const uint8_t triggers[] = {1, 4, 8, 14};

	if ((serial->ier & IER_RDI) && serial->in_len > 0) {
		bool fifo = serial->fcr & FCR_ENABLE;

		/* Below the trigger level it is the character time-out that tells. */
		return !fifo || serial->in_len >= triggers[serial->fcr >> 6] ? IIR_RDI : IIR_TIMEOUT;
	}
	if ((serial->ier & IER_THRI) && serial->thri_pending)
		return IIR_THRI;
	return IIR_NONE;
}

static void update_line(struct serial *serial)
{
	int level = pending(serial) != IIR_NONE;

	if (level != serial->level)
		irq_line(serial->irq, COM1_IRQ, level);
	serial->level = level;
}

static void push(struct serial *serial, uint8_t byte)
{
	if (serial->in_len < SERIAL_FIFO)
		serial->in[(serial->in_head + serial->in_len++) % SERIAL_FIFO] = byte;
}

static uint8_t pop(struct serial *serial)
{
	const uint64_t one = 1;
	uint8_t byte;

	if (serial->in_len == 0)
		return 0;
	byte = serial->in[serial->in_head];
	serial->in_head = (serial->in_head + 1) % SERIAL_FIFO;
	/* The main thread stopped reading input when there was no room. */
	if (serial->in_len-- == SERIAL_FIFO && write(serial->room_fd, &one, sizeof(one)) < 0)
		return byte; /* counter full: it has been told often enough */
	return byte;
}

static uint8_t modem_status(const struct serial *serial)
{
	uint8_t mcr = serial->mcr;

	if (!(mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	return (uint8_t)((mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) |
		(mcr & MCR_OUT1 ? MSR_RI : 0) | (mcr & MCR_OUT2 ? MSR_DCD : 0));
}

static uint8_t read_iir(struct serial *serial)
{
	uint8_t iir = pending(serial);

	/* Reading it is what acknowledges an empty transmitter. */
	if (iir == IIR_THRI)
		serial->thri_pending = false;
	return iir | (serial->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t read_reg(struct serial *serial, unsigned reg)
{
	bool dlab = serial->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA: return dlab ? serial->dll : pop(serial);
	case REG_IER: return dlab ? serial->dlm : serial->ier;
	case REG_IIR_FCR: return read_iir(serial);
	case REG_LCR: return serial->lcr;
	case REG_MCR: return serial->mcr;
	case REG_LSR: return LSR_THR_EMPTY | LSR_EMPTY | (serial->in_len ? LSR_DATA : 0);
	case REG_MSR: return modem_status(serial);
	default: return serial->scr;
	}
}

static void write_data(struct serial *serial, uint8_t byte)
{
	if (serial->mcr & MCR_LOOP)
		push(serial, byte);
	else
		serial_out_byte(&serial->out, byte);
	serial->thri_pending = true;
}

static void write_ier(struct serial *serial, uint8_t value)
{
	value &= IER_BITS;
	/* Turned on while the transmitter is empty, which it is: interrupts at once. */
	if (value & ~serial->ier & IER_THRI)
		serial->thri_pending = true;
	serial->ier = value;
}

static void write_fcr(struct serial *serial, uint8_t value)
{
	/* Turning the FIFO on or off empties it. */
	if ((value & FCR_CLEAR_RX) || ((value ^ serial->fcr) & FCR_ENABLE))
		while (serial->in_len > 0)
			pop(serial);
	serial->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
}

static void write_reg(struct serial *serial, unsigned reg, uint8_t value)
{
	bool dlab = serial->lcr & LCR_DLAB;

	if (reg == REG_DATA && dlab)
		serial->dll = value;
	else if (reg == REG_DATA)
		write_data(serial, value);
	else if (reg == REG_IER && dlab)
		serial->dlm = value;
	else if (reg == REG_IER)
		write_ier(serial, value);
	else if (reg == REG_IIR_FCR)
		write_fcr(serial, value);
	else if (reg == REG_LCR)
		serial->lcr = value;
	else if (reg == REG_MCR)
		serial->mcr = value & MCR_BITS;
	else if (reg == REG_SCR)
		serial->scr = value;
}

/* A wider access is the ones next to each other, like on ISA. */
static void serial_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	struct serial *serial = opaque;

	pthread_mutex_lock(&serial->lock);
	for (unsigned i = 0; i < size; i++)
		data[i] = read_reg(serial, (unsigned)offset + i);
	update_line(serial);
	pthread_mutex_unlock(&serial->lock);
}

static void serial_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	struct serial *serial = opaque;

	pthread_mutex_lock(&serial->lock);
	for (unsigned i = 0; i < size; i++)
		write_reg(serial, (unsigned)offset + i, data[i]);
	update_line(serial);
	pthread_mutex_unlock(&serial->lock);
}

static const struct bus_ops serial_ops = {.read = serial_read, .write = serial_write};

int serial_init(struct serial *serial, struct bus *pio, struct irq *irq, int out)
{
	*serial = (struct serial){.irq = irq, .out = {.fd = out}, .dll = 12};
	pthread_mutex_init(&serial->lock, NULL);
	serial->room_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (serial->room_fd < 0)
		return -errno;
	return bus_add(pio, COM1_PORT, REGS, &serial_ops, serial);
}

/* vCPUs parked. Input nobody has read yet is for the next boot. */
void serial_reset(struct serial *serial)
{
	pthread_mutex_lock(&serial->lock);
	serial->ier = serial->lcr = serial->mcr = serial->scr = serial->fcr = 0;
	serial->dll = 12; /* 9600 baud */
	serial->dlm = 0;
	serial->thri_pending = false;
	update_line(serial);
	pthread_mutex_unlock(&serial->lock);
}

size_t serial_room(struct serial *serial)
{
	size_t room;

	pthread_mutex_lock(&serial->lock);
	room = SERIAL_FIFO - serial->in_len;
	pthread_mutex_unlock(&serial->lock);
	return room;
}

void serial_input(struct serial *serial, const uint8_t *data, size_t len)
{
	pthread_mutex_lock(&serial->lock);
	for (size_t i = 0; i < len; i++)
		push(serial, data[i]);
	update_line(serial);
	pthread_mutex_unlock(&serial->lock);
}
