/* SPDX-License-Identifier: Apache-2.0
 *
 * PM1a event and control registers (ACPI 6.5, 4.8.3), i8042 and port 92 as far as a reset goes.
 *
 * Core process: registers by vCPU threads, the power button by the main thread. The button is the only
 * event there is; the SCI is level triggered, and up while an event is both there and enabled.
 */
#include "vmm/platform/platform.h"

#include <string.h>

enum {
	PM1_STATUS = 0, PM1_ENABLE = 2,
	PM1_ENABLE_BITS = 0x4721, /* PCIe wake, RTC, sleep and power button, global, timer */
	PM1_POWER_BUTTON = 0x0100, /* PWRBTN_STS and PWRBTN_EN (4.8.3.1, 4.8.3.1.2) */
	PM1_SCI_ENABLED = 0x0001, /* there is no legacy mode to be in */
	PM1_SLP_EN = 0x2000, PM1_SLP_TYP_SHIFT = 10,
	I8042_COMMAND = 0x64, I8042_PULSE_RESET = 0xfe,
	PORT92 = 0x92, PORT92_RESET = 0x01, PORT92_A20 = 0x02,
};

static void put16(uint8_t *data, unsigned size, uint64_t offset, uint64_t at, uint16_t value)
{
	for (unsigned i = 0; i < 2; i++) {
		if (at + i >= offset && at + i < offset + size)
			data[at + i - offset] = (uint8_t)(value >> 8 * i);
	}
}

static void event_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	struct platform *platform = opaque;

	pthread_mutex_lock(&platform->lock);
	put16(data, size, offset, PM1_STATUS, platform->pm1_status);
	put16(data, size, offset, PM1_ENABLE, platform->pm1_enable);
	pthread_mutex_unlock(&platform->lock);
}

/* With the lock held, so that the line is what the registers say. */
static void update_sci(struct platform *platform)
{
	irq_line(&platform->vm->irq, SCI_IRQ,
		(platform->pm1_status & platform->pm1_enable) != 0);
}

/* What the access writes to the register at `at`, which may be both of its bytes or one of them
 * (4.8.3.1.1, 4.8.3.2.1); the others are 0. Returns a mask of those it has. */
static uint16_t get16(const uint8_t *data, unsigned size, uint64_t offset, uint64_t at, uint16_t *ret)
{
	uint16_t has = 0;

	*ret = 0;
	for (unsigned i = 0; i < 2; i++) {
		if (at + i < offset || at + i >= offset + size)
			continue;
		*ret |= (uint16_t)(data[at + i - offset] << 8 * i);
		has |= (uint16_t)(0xff << 8 * i);
	}
	return has;
}

static void event_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	struct platform *platform = opaque;
	uint16_t value, has;

	pthread_mutex_lock(&platform->lock);
	get16(data, size, offset, PM1_STATUS, &value);
	platform->pm1_status &= (uint16_t)~value; /* a one clears */
	has = get16(data, size, offset, PM1_ENABLE, &value);
	platform->pm1_enable = ((platform->pm1_enable & (uint16_t)~has) | value) & PM1_ENABLE_BITS;
	update_sci(platform);
	pthread_mutex_unlock(&platform->lock);
}

bool platform_press_power(struct platform *platform)
{
	bool heard;

	pthread_mutex_lock(&platform->lock);
	platform->pm1_status |= PM1_POWER_BUTTON;
	heard = platform->pm1_enable & PM1_POWER_BUTTON;
	update_sci(platform);
	pthread_mutex_unlock(&platform->lock);
	return heard;
}

static void control_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	(void)opaque;
	put16(data, size, offset, 0, PM1_SCI_ENABLED);
}

static void control_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	struct platform *platform = opaque;
	uint16_t value;

	get16(data, size, offset, 0, &value);
	if ((value & PM1_SLP_EN) && (value >> PM1_SLP_TYP_SHIFT & 7) == PM1_CNT_S5)
		vm_ask(platform->vm, VM_POWEROFF);
}

/* Neither buffer is ever full: Linux's kb_wait returns at once and its driver finds no keyboard. */
static void i8042_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	(void)opaque, (void)offset;
	memset(data, 0, size);
}

static void i8042_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	struct platform *platform = opaque;

	(void)offset, (void)size;
	if (data[0] == I8042_PULSE_RESET)
		vm_ask(platform->vm, VM_RESET);
}

static void port92_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	(void)opaque, (void)offset, (void)size;
	data[0] = PORT92_A20;
}

static void port92_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	struct platform *platform = opaque;

	(void)offset, (void)size;
	if (data[0] & PORT92_RESET)
		vm_ask(platform->vm, VM_RESET);
}

static const struct bus_ops event_ops = {.read = event_read, .write = event_write};
static const struct bus_ops control_ops = {.read = control_read, .write = control_write};
static const struct bus_ops i8042_ops = {.read = i8042_read, .write = i8042_write};
static const struct bus_ops port92_ops = {.read = port92_read, .write = port92_write};

static const struct {
	uint16_t port, size;
	const struct bus_ops *ops;
} ports[] = {
	{I8042_COMMAND, 1, &i8042_ops},
	{PORT92, 1, &port92_ops},
	{PM1A_EVT_PORT, 4, &event_ops},
	{PM1A_CNT_PORT, 2, &control_ops},
};

int platform_init(struct platform *platform, struct vm *vm)
{
	int r = 0;

	*platform = (struct platform){.vm = vm};
	pthread_mutex_init(&platform->lock, NULL);
	for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]) && r == 0; i++)
		r = bus_add(&vm->pio, ports[i].port, ports[i].size, ports[i].ops, platform);
	return r;
}

void platform_reset(struct platform *platform)
{
	platform->pm1_status = platform->pm1_enable = 0;
	update_sci(platform);
}
