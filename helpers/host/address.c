/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses of PCI functions. The kernel writes «%04x:%02x:%02x.%d» (pci_setup_device), where the
 * domain is an int: four digits at least, and five behind a VMD (vmd_find_free_domain).
 */
#include "helpers/host/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One to `most` hexadecimal digits, and then `end`. Where the text goes on, or NULL. */
static const char *number(const char *at, unsigned most, char end, uint32_t *ret)
{
	static const char digits[] = "0123456789abcdef";
	unsigned n = 0;

	for (*ret = 0; *at; at++, n++) {
		const char *digit = strchr(digits, *at >= 'A' && *at <= 'F' ? *at + 32 : *at);

		if (!digit)
			break;
		*ret = *ret << 4 | (uint32_t)(digit - digits);
	}
	if (!n || n > most || *at != end)
		return NULL;
	return end ? at + 1 : at;
}

int pci_address_parse(const char *text, struct pci_address *ret)
{
	const char *colon = strchr(text, ':'), *at = text;
	uint32_t domain = 0, bus, slot, function;

	if (colon && strchr(colon + 1, ':'))
		at = number(at, 8, ':', &domain);
	at = at ? number(at, 2, ':', &bus) : NULL;
	at = at ? number(at, 2, '.', &slot) : NULL;
	at = at ? number(at, 1, '\0', &function) : NULL;
	if (!at || slot > 31 || function > 7)
		return -EINVAL;
	*ret = (struct pci_address){domain, (uint8_t)bus, (uint8_t)slot, (uint8_t)function};
	return 0;
}

void pci_address_write(const struct pci_address *address, char ret[static PCI_ADDRESS])
{
	snprintf(ret, PCI_ADDRESS, "%04x:%02x:%02x.%x", address->domain, address->bus,
		address->slot, address->function & 7);
}

bool pci_address_is(const char *text, uint16_t segment, uint8_t bus, uint8_t devfn)
{
	struct pci_address address;

	return pci_address_parse(text, &address) == 0 && (uint16_t)address.domain == segment &&
		address.bus == bus && (address.slot << 3 | address.function) == devfn;
}
