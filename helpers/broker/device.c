/* SPDX-License-Identifier: Apache-2.0
 *
 * A slot's device, and why it is not to be had. Broker process.
 */
#include <errno.h>
#include <string.h>

#include "helpers/broker/broker.h"
#include "seccomp/layers.h"

struct device *device_at(struct broker *broker, uint32_t slot, uint32_t generation)
{
	struct device *device = slot < VM_SLOTS ? &broker->devices[slot] : NULL;

	return device && device->generation && device->generation == generation ? device : NULL;
}

int device_refused(const struct device *device, int code, const char *what, struct err *err)
{
	if (code == -EBUSY)
		return err_set(err, code, BLAME_HOST,
			"%s is in use: %s: another process, or a host driver, has it or another "
			"device of its IOMMU group (as root, `bulkhead devices` names it)",
			device->name, what);
	if (code == -EPERM && layers_degraded())
		return err_set(err, code, BLAME_HOST,
			"%s: --allow-degraded goes on without interrupt remapping, but this host's "
			"kernel does not; give vfio_iommu_type1, or iommufd, allow_unsafe_interrupts=1",
			device->name);
	return err_set(err, code, BLAME_HOST, "%s: %s: %s; `dmesg | tail` may say why", device->name,
		what, strerror(-code));
}
