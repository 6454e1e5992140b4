/* SPDX-License-Identifier: Apache-2.0
 *
 * Devices of which something does not work in any guest, by vendor and id. VFIO helper, at set-up.
 *
 * What is here nobody can mend from outside the device; README, «On real hardware», says so, too.
 */
#include "helpers/vfio/vfio.h"
#include "ipc/log.h"

/* Their firmware raises interrupts by itself, with the address and data the driver finds in the MSI
 * capability: the guest's, which the host's interrupt remapping does not know (Linux's
 * ath11k_pcic_get_msi_address, ath12k_pci_get_msi_address). */
#define OWN_MSI                                                                                    \
	"its driver hands the MSI message to the device's firmware; a guest's is not the host's, " \
	"so its interrupts do not arrive in a guest"

static const struct {
	uint16_t vendor, device;
	const char *driver, *limit;
} known[] = {
	{0x17cb, 0x1101, "QCA6390, ath11k", OWN_MSI},
	{0x17cb, 0x1103, "WCN6855, ath11k", OWN_MSI},
	{0x17cb, 0x1104, "QCN9074, ath11k", OWN_MSI},
	{0x17cb, 0x1107, "WCN7850, ath12k", OWN_MSI},
	{0x17cb, 0x1109, "QCN9274, ath12k", OWN_MSI},
};

void known_warn(unsigned vendor, unsigned device)
{
	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].vendor == vendor && known[i].device == device)
			log_warn("%s: %s", known[i].driver, known[i].limit);
}
