/* SPDX-License-Identifier: Apache-2.0
 *
 * Can an MSI-X capability be true? (PCI 3.0 §6.8.2)
 *
 * VFIO helper, at set-up; pure. The core answers for table and PBA, so each has to be a place of
 * its own in a memory BAR. A capability left over from a design without MSI-X (Atheros AR928x:
 * table and PBA both at 0 of the BAR with all registers) is hidden. Of one whose PBA is outside its
 * BAR (virtual functions of Chelsio T5) the table is where interrupts come from, so that works: the
 * PBA is put behind the table, in a page where by §6.8.2 nothing else is.
 */
#include "helpers/vfio/config.h"

enum { PAGE = 4096, ENTRY = 16 };

static bool inside(const struct config_source *in, unsigned bar, uint64_t offset, uint64_t len)
{
	const struct region_desc *region = bar < PCI_BARS ? &in->bars[bar] : NULL;

	return region && !region->io && offset < region->size && len <= region->size - offset;
}

const char *msix_fit(struct msix_desc *msix, const struct config_source *in, bool *ret_mended)
{
	uint64_t table = msix->table_offset, table_len = msix->vectors * (uint64_t)ENTRY;
	uint64_t pba_len = (msix->vectors + 63) / 64 * 8ull, end = table + table_len;

	*ret_mended = false;
	if (msix->vectors > in->facts->msix)
		return "MSI-X has more vectors than VFIO knows of: hidden";
	if (!inside(in, msix->table_bar, table, table_len))
		return "the MSI-X table is outside the device's memory BARs: MSI-X is hidden";
	if (msix->table_bar == msix->pba_bar && table < msix->pba_offset + pba_len &&
		msix->pba_offset < end)
		return "the MSI-X table and PBA are in one place: MSI-X is hidden";
	if (inside(in, msix->pba_bar, msix->pba_offset, pba_len))
		return NULL;
	if (end % PAGE == 0 || end % PAGE + pba_len > PAGE ||
		!inside(in, msix->table_bar, end, pba_len))
		return "the MSI-X PBA is outside the device's memory BARs: MSI-X is hidden";
	msix->pba_bar = msix->table_bar;
	msix->pba_offset = (uint32_t)end;
	*ret_mended = true;
	return "the MSI-X PBA is outside the device's memory BARs: the guest finds it behind the "
	       "table";
}
