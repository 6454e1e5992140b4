/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core asks of the device: arguments are checked against the description it was given,
 * then the helper's own function answers.
 *
 * Helper process, one thread. An argument no honest core sends is a breach, which ends the process;
 * what the device does not do is refused.
 */
#include "helpers/self.h"

static int refuse(struct helper_self *h, const struct msg *msg, const struct err *err)
{
	return chan_refuse(&h->core, msg, err);
}

/* Answers Done, or Refused with what *err says. */
static int finish(struct helper_self *h, const struct msg *msg, int r, const struct err *err)
{
	return r < 0 ? refuse(h, msg, err) : chan_done(&h->core, msg);
}

static int give_value(struct helper_self *h, const struct msg *msg, int r, uint64_t value,
	const struct err *err)
{
	Bulkhead__Value body = BULKHEAD__VALUE__INIT;

	if (r < 0)
		return refuse(h, msg, err);
	body.value = value;
	return chan_answer(&h->core, msg, &PACKET(VALUE, value, &body), NULL, 0);
}

/* Is [offset, offset + size) one naturally aligned access inside [0, end)? */
static int check_access(uint64_t offset, uint32_t size, uint32_t max, uint64_t end,
	struct err *err)
{
	if (size == 0 || size > max || (size & (size - 1)) || offset % size || offset >= end ||
		size > end - offset)
		return err_set(err, -EINVAL, BLAME_PEER, "access of %u bytes at 0x%llx: not there",
			size, (unsigned long long)offset);
	return 0;
}

static int on_config_read(struct helper_self *h, struct msg *msg, struct err *err)
{
	const Bulkhead__ConfigRead *ask = msg->packet->config_read;
	uint32_t value = 0;
	int r = check_access(ask->offset, ask->size, 4, h->desc.config_size, err);

	if (r == 0)
		r = h->ops->config_read(ask->offset, ask->size, &value, err);
	return give_value(h, msg, r, value, err);
}

static int on_config_write(struct helper_self *h, struct msg *msg, struct err *err)
{
	const Bulkhead__ConfigWrite *ask = msg->packet->config_write;
	int r = check_access(ask->offset, ask->size, 4, h->desc.config_size, err);

	if (r == 0)
		r = h->ops->config_write(ask->offset, ask->size, ask->value, err);
	return finish(h, msg, r, err);
}

static int check_region(const struct helper_self *h, uint32_t index, uint64_t offset,
	uint32_t size, struct err *err)
{
	uint64_t end = index < PCI_BARS ? h->desc.regions[index].size : 0;

	return check_access(offset, size, 8, end, err);
}

static int on_region_read(struct helper_self *h, struct msg *msg, struct err *err)
{
	const Bulkhead__RegionRead *ask = msg->packet->region_read;
	uint64_t value = 0;
	int r = check_region(h, ask->index, ask->offset, ask->size, err);

	if (r == 0)
		r = h->ops->region_read(ask->index, ask->offset, ask->size, &value, err);
	return give_value(h, msg, r, value, err);
}

static int on_region_write(struct helper_self *h, struct msg *msg, struct err *err)
{
	const Bulkhead__RegionWrite *ask = msg->packet->region_write;
	int r = check_region(h, ask->index, ask->offset, ask->size, err);

	if (r == 0)
		r = h->ops->region_write(ask->index, ask->offset, ask->size, ask->value, err);
	return finish(h, msg, r, err);
}

static int on_msix_enable(struct helper_self *h, struct msg *msg, struct err *err)
{
	int r = 0;

	if (!h->desc.msix.vectors)
		r = err_set(err, -EINVAL, BLAME_PEER, "MSI-X: the device has none");
	else if (h->msi_count)
		r = err_set(err, -EBUSY, BLAME_PEER, "MSI-X: MSI is on");
	else if (!h->msix_on)
		r = h->ops->msix_enable(err);
	if (r == 0)
		h->msix_on = true;
	return finish(h, msg, r, err);
}

static int on_msix_disable(struct helper_self *h, struct msg *msg, struct err *err)
{
	int r = h->msix_on ? h->ops->msix_disable(err) : 0;

	if (r == 0)
		h->msix_on = false;
	return finish(h, msg, r, err);
}

static int check_vector(const struct helper_self *h, uint32_t vector, struct err *err)
{
	if (!h->msix_on || vector >= h->desc.msix.vectors)
		return err_set(err, -EINVAL, BLAME_PEER, "MSI-X vector %u: %s", vector,
			h->msix_on ? "not there" : "MSI-X is off");
	return 0;
}

static int on_msix_arm(struct helper_self *h, struct msg *msg, struct err *err)
{
	uint32_t vector = msg->packet->msix_arm->vector;
	int r = check_vector(h, vector, err);

	if (r == 0)
		r = h->ops->msix_arm(vector, msg_fd(msg, 0), err);
	return finish(h, msg, r, err);
}

static int on_msi_enable(struct helper_self *h, struct msg *msg, struct err *err)
{
	uint32_t count = msg->packet->msi_enable->vectors;
	int r = 0;

	if (count == 0 || count > desc_msi_vectors(&h->desc) || (count & (count - 1)))
		r = err_set(err, -EINVAL, BLAME_PEER, "MSI: %u vectors are not there", count);
	else if (h->msix_on || h->msi_count)
		r = err_set(err, -EBUSY, BLAME_PEER, "MSI: %s is on",
			h->msix_on ? "MSI-X" : "it");
	else
		r = h->ops->msi_enable(count, err);
	if (r == 0)
		h->msi_count = count;
	return finish(h, msg, r, err);
}

static int on_msi_disable(struct helper_self *h, struct msg *msg, struct err *err)
{
	int r = h->msi_count ? h->ops->msi_disable(err) : 0;

	if (r == 0)
		h->msi_count = 0;
	return finish(h, msg, r, err);
}

static int on_msi_arm(struct helper_self *h, struct msg *msg, struct err *err)
{
	uint32_t vector = msg->packet->msi_arm->vector;
	int r = 0;

	if (vector >= h->msi_count)
		r = err_set(err, -EINVAL, BLAME_PEER, "MSI vector %u: not there", vector);
	else
		r = h->ops->msi_arm(vector, msg_fd(msg, 0), err);
	return finish(h, msg, r, err);
}

static int on_kick_arm(struct helper_self *h, struct msg *msg, struct err *err)
{
	uint32_t queue = msg->packet->kick_arm->queue;
	int r;

	if (queue >= h->desc.doorbells.count)
		return breach(err, "KickArm of a doorbell that is not there");
	r = h->ops->kick_arm(queue, msg_fd(msg, 0), err);
	return finish(h, msg, r, err);
}

static int on_intx_arm(struct helper_self *h, struct msg *msg, struct err *err)
{
	int r;

	if (!h->desc.intx)
		return breach(err, "IntxArm of a pin that is not there");
	r = h->ops->intx_arm(msg_fd(msg, 0), msg_fd(msg, 1), err);
	return finish(h, msg, r, err);
}

static int on_suspend(struct helper_self *h, struct msg *msg, struct err *err)
{
	if (!h->desc.can_suspend)
		return breach(err, "Suspend of what cannot be suspended");
	return finish(h, msg, h->ops->suspend(err), err);
}

static int on_resume(struct helper_self *h, struct msg *msg, struct err *err)
{
	if (!h->desc.can_suspend)
		return breach(err, "Resume of what cannot be suspended");
	return finish(h, msg, h->ops->resume(err), err);
}

static int on_reset(struct helper_self *h, struct msg *msg, struct err *err)
{
	return finish(h, msg, h->ops->reset(msg->packet->reset->whole, err), err);
}

const struct handler helper_asks[] = {
	{BULKHEAD__PACKET__BODY_CONFIG_READ, on_config_read},
	{BULKHEAD__PACKET__BODY_CONFIG_WRITE, on_config_write},
	{BULKHEAD__PACKET__BODY_REGION_READ, on_region_read},
	{BULKHEAD__PACKET__BODY_REGION_WRITE, on_region_write},
	{BULKHEAD__PACKET__BODY_MSIX_ENABLE, on_msix_enable},
	{BULKHEAD__PACKET__BODY_MSIX_DISABLE, on_msix_disable},
	{BULKHEAD__PACKET__BODY_MSIX_ARM, on_msix_arm},
	{BULKHEAD__PACKET__BODY_MSI_ENABLE, on_msi_enable},
	{BULKHEAD__PACKET__BODY_MSI_DISABLE, on_msi_disable},
	{BULKHEAD__PACKET__BODY_MSI_ARM, on_msi_arm},
	{BULKHEAD__PACKET__BODY_RESET, on_reset},
	{BULKHEAD__PACKET__BODY_KICK_ARM, on_kick_arm},
	{BULKHEAD__PACKET__BODY_INTX_ARM, on_intx_arm},
	{BULKHEAD__PACKET__BODY_SUSPEND, on_suspend},
	{BULKHEAD__PACKET__BODY_RESUME, on_resume},
	{0, NULL},
};
