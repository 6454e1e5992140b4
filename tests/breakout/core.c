/* SPDX-License-Identifier: Apache-2.0
 *
 * Where guest RAM is, for the attempts on it. Linked into the core of a test VM only.
 */
#include "tests/breakout/page.h"
#include "vmm/kvm/ram.h"

int __real_ram_create(struct ram *ram, const struct ram_options *options, struct phys_space phys,
	struct err *err);
int __wrap_ram_create(struct ram *ram, const struct ram_options *options, struct phys_space phys,
	struct err *err);
int __wrap_ram_create(struct ram *ram, const struct ram_options *options, struct phys_space phys,
	struct err *err)
{
	int r = __real_ram_create(ram, options, phys, err);

	if (r == 0 && page)
		page->ram = (uint64_t)(uintptr_t)ram->host;
	return r;
}
