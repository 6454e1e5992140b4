/* SPDX-License-Identifier: Apache-2.0
 *
 * The device as the core gets it. VFIO helper, at set-up.
 */
#include <string.h>

#include "helpers/vfio/vfio.h"

int describe(const struct vfio *v, struct function_desc *ret, struct err *err)
{
	*ret = (struct function_desc){.config_size = v->config.size,
		.msix = v->config.msix, .msi_cap = v->config.msi_cap,
		.intx = v->facts.intx == 1,
		.rom_size = v->rom_size, .rom_fd_offset = v->rom_at};
	memcpy(ret->regions, v->regions, sizeof(ret->regions));
	for (unsigned at = 0; at < v->config.size; at += 4) {
		uint32_t value;
		int r = access_config_read(v, at, 4, &value, err);

		if (r < 0)
			return r;
		memcpy(ret->config + at, &value, 4);
	}
	return 0;
}
