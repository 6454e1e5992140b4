/* SPDX-License-Identifier: Apache-2.0
 *
 * Features that need others: a device must not offer one without what it requires (virtio 1.3
 * §2.2), so one that is taken away takes along what needs it.
 *
 * Helper process; pure. Drivers rely on it: Linux's virtio_net ends in a BUG over a command for
 * which there is no control queue.
 */
#include <linux/virtio_gpu.h>
#include <linux/virtio_net.h>

#include "helpers/virtio/virtio_pci.h"

/* virtio 1.3, younger than the headers of Debian 12 (Linux 6.1). */
#ifndef VIRTIO_NET_F_DEVICE_STATS
#define VIRTIO_NET_F_DEVICE_STATS 50
#endif
#ifndef VIRTIO_NET_F_HASH_TUNNEL
#define VIRTIO_NET_F_HASH_TUNNEL 51
#endif
#ifndef VIRTIO_NET_F_VQ_NOTF_COAL
#define VIRTIO_NET_F_VQ_NOTF_COAL 52
#endif
#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO   56
#endif

#define BIT(n)   (1ull << (n))
#define NET(bit) BIT(VIRTIO_NET_F_##bit)
#define GPU(bit) BIT(VIRTIO_GPU_F_##bit)
#define CRYPTO_REVISION_1 BIT(0)
#define CRYPTO_STATELESS  (BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(5))

/* Each of `features` needs one of `needs`. */
static const struct {
	uint16_t type;
	uint64_t features, needs;
} needed[] = {
	/* §5.1.3.1 */
	{VIRTIO_NET, NET(GUEST_TSO4) | NET(GUEST_TSO6) | NET(GUEST_UFO) | NET(GUEST_USO4) |
			NET(GUEST_USO6), NET(GUEST_CSUM)},
	{VIRTIO_NET, NET(GUEST_ECN), NET(GUEST_TSO4) | NET(GUEST_TSO6)},
	{VIRTIO_NET, NET(HOST_TSO4) | NET(HOST_TSO6) | NET(HOST_UFO) | NET(HOST_USO), NET(CSUM)},
	{VIRTIO_NET, NET(HOST_ECN) | NET(RSC_EXT), NET(HOST_TSO4) | NET(HOST_TSO6)},
	{VIRTIO_NET, NET(CTRL_RX) | NET(CTRL_VLAN) | NET(GUEST_ANNOUNCE) | NET(MQ) |
			NET(CTRL_MAC_ADDR) | NET(NOTF_COAL) | NET(RSS) | NET(VQ_NOTF_COAL) |
			NET(HASH_TUNNEL), NET(CTRL_VQ)},
	{VIRTIO_NET, NET(HASH_TUNNEL), NET(RSS) | NET(HASH_REPORT)},
	/* Commands, too: §5.1.4.1 and, by what they are, §5.1.3. */
	{VIRTIO_NET, NET(HASH_REPORT) | NET(CTRL_RX_EXTRA), NET(CTRL_VQ)},
	{VIRTIO_NET, NET(CTRL_GUEST_OFFLOADS) | NET(DEVICE_STATS), NET(CTRL_VQ)},
	/* §5.7.3 */
	{VIRTIO_GPU, GPU(CONTEXT_INIT), GPU(VIRGL)},
	/* §5.9.3.1 */
	{VIRTIO_CRYPTO, CRYPTO_STATELESS, CRYPTO_REVISION_1},
};

uint64_t virtio_features_fit(uint16_t type, uint64_t features)
{
	uint64_t before;

	do {
		before = features;
		for (unsigned i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
			if (needed[i].type == type && !(features & needed[i].needs))
				features &= ~needed[i].features;
	} while (features != before);
	return features;
}
