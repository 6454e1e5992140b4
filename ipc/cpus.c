/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers of processors into APIC ids. Every process; pure.
 */
#include "ipc/cpus.h"

/* How many bits tell n things apart. */
static unsigned bits(unsigned n)
{
	unsigned b = 0;

	while (1u << b < n)
		b++;
	return b;
}

struct cpus_shifts cpus_shifts(const struct cpus *cpus)
{
	struct cpus_shifts shifts = {.core = bits(cpus->threads)};

	shifts.die = shifts.core + bits(cpus->cores);
	shifts.package = shifts.die + bits(cpus->dies);
	return shifts;
}

unsigned cpus_apic_id(const struct cpus *cpus, unsigned index)
{
	struct cpus_shifts shifts = cpus_shifts(cpus);
	unsigned core = index / cpus->threads, die = core / cpus->cores, package = die / cpus->dies;

	return index % cpus->threads | core % cpus->cores << shifts.core |
		die % cpus->dies << shifts.die | package << shifts.package;
}

unsigned cpus_max_apic_id(const struct cpus *cpus)
{
	return cpus_apic_id(cpus, cpus->boot - 1);
}
