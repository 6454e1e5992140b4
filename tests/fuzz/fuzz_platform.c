/* SPDX-License-Identifier: Apache-2.0
 *
 * The ports of the platform: ACPI's fixed registers, i8042, port 92, CF8, CF9 and CFC with the host
 * bridge behind them, and every port that is nobody's. A reset or the end is asked for by exactly
 * the writes that mean it; the SCI is up while the power button was pressed and is enabled.
 *
 * fuzzes: vmm/platform/platform.c
 * links: vmm/platform/platform.c vmm/pci/pci.c vmm/pci/bus.c
 */
#include "tests/fuzz/fuzz.h"

#include "vmm/pci/pci.h"
#include "vmm/platform/platform.h"

static struct vm vm;
static struct pci pci;
static struct platform platform;
static int asked, sci;

void vm_ask(struct vm *which, enum vm_request request)
{
	require(which == &vm && asked == VM_RUN);
	asked = (int)request;
}

int irq_line(struct irq *irq, uint32_t gsi, int level)
{
	require(irq == &vm.irq && gsi == SCI_IRQ);
	sci = level;
	return 0;
}

static void check_sci(void)
{
	uint16_t status, enable;

	require(bus_read(&vm.pio, PM1A_EVT_PORT, (uint8_t *)&status, 2));
	require(bus_read(&vm.pio, PM1A_EVT_PORT + 2, (uint8_t *)&enable, 2));
	require((status & ~0x100) == 0 && sci == ((status & enable) != 0));
}

/* What a write to this port asks of the machine. */
static int meant(unsigned port, unsigned size, uint64_t value)
{
	if (port == 0xcf9 && size == 1 && (value & 4))
		return VM_RESET;
	if (port == 0x64 && size == 1 && (value & 0xff) == 0xfe)
		return VM_RESET;
	if (port == 0x92 && size == 1 && (value & 1))
		return VM_RESET;
	if (port == PM1A_CNT_PORT && size == 2 && (value & 0x3c00) == (0x2000 | PM1_CNT_S5 << 10))
		return VM_POWEROFF;
	return VM_RUN;
}

static void one(struct input *in)
{
	static const uint16_t bases[] = {PM1A_EVT_PORT, 0xcf8, 0x60, 0x90};
	unsigned op = (unsigned)take(in, 1), size = 1 + (op & 7);
	unsigned where = (unsigned)take(in, 1);
	unsigned port = op & 8 ? (unsigned)take(in, 2) : bases[where & 3] + (where >> 2 & 7);
	uint64_t value = 0;
	uint8_t data[8] = {0};

	if (op & 0x20)
		platform_press_power(&platform);
	if (op & 0x10) {
		value = take(in, size);
		memcpy(data, &value, sizeof(data));
		bus_write(&vm.pio, port, data, size);
		require(asked == meant(port, size, value));
		asked = VM_RUN;
		check_sci();
		return;
	}
	if (!bus_read(&vm.pio, port, data, size))
		for (unsigned i = 0; i < size; i++)
			require(data[i] == 0xff);
	check_sci();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = input_of(data, size);
	struct err err = {0};

	if (!vm.pio.n) {
		bus_init(&vm.mmio);
		bus_init(&vm.pio);
		require(pci_init(&pci, &vm, &err) == 0 && platform_init(&platform, &vm) == 0);
	}
	pci_reset(&pci);
	platform_reset(&platform);
	while (input_left(&in))
		one(&in);
	return 0;
}
