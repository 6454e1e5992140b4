/* SPDX-License-Identifier: Apache-2.0
 *
 * linux/vhost.h, and what of it is younger than the headers of Debian 12 (Linux 6.1).
 */
#pragma once

#include <linux/vhost.h>

#ifndef VHOST_VDPA_RESUME /* 6.3 */
#define VHOST_VDPA_RESUME _IO(VHOST_VIRTIO, 0x7E)
#endif
#ifndef VHOST_VDPA_GET_VRING_SIZE /* 6.10 */
#define VHOST_VDPA_GET_VRING_SIZE _IOWR(VHOST_VIRTIO, 0x82, struct vhost_vring_state)
#endif
#ifndef VHOST_BACKEND_F_RESUME
#define VHOST_BACKEND_F_RESUME 0x5
#endif
#ifndef VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK /* 6.6 */
#define VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK 0x6
#endif
#ifndef VHOST_BACKEND_F_IOTLB_PERSIST /* 6.7 */
#define VHOST_BACKEND_F_IOTLB_PERSIST 0x8
#endif
