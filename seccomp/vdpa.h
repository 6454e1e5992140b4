/* SPDX-License-Identifier: Apache-2.0
 *
 * The vhost requests of the vDPA helper, at set-up and at run time.
 */
#pragma once

#include "seccomp/policy.h"
#include "seccomp/vhost.h"

#define ROWS_VDPA_RUN                                                                              \
	ALLOW_IOCTL(VHOST_VDPA_GET_STATUS, "vdpa device_get_status"),                              \
		ALLOW_IOCTL(VHOST_VDPA_SET_STATUS, "vdpa device_set_status"),                      \
		ALLOW_IOCTL(VHOST_SET_FEATURES, "vdpa device_set_features"),                            \
		ALLOW_IOCTL(VHOST_VDPA_GET_CONFIG, "vdpa device_config_read"),                     \
		ALLOW_IOCTL(VHOST_VDPA_SET_CONFIG, "vdpa device_config_write"),                    \
		ALLOW_IOCTL(VHOST_VDPA_SET_CONFIG_CALL, "vdpa set_call"),                          \
		ALLOW_IOCTL(VHOST_SET_VRING_NUM, "vdpa set_ring"),                                 \
		ALLOW_IOCTL(VHOST_SET_VRING_BASE, "vdpa set_base"),                                \
		ALLOW_IOCTL(VHOST_GET_VRING_BASE, "vdpa lives"),                                   \
		ALLOW_IOCTL(VHOST_SET_VRING_ADDR, "vdpa set_ring"),                                \
		ALLOW_IOCTL(VHOST_SET_VRING_KICK, "vdpa set_queue"),                               \
		ALLOW_IOCTL(VHOST_SET_VRING_CALL, "vdpa set_call"),                                \
		ALLOW_IOCTL(VHOST_VDPA_SET_VRING_ENABLE, "vdpa set_enable"),                       \
		ALLOW_IOCTL(VHOST_VDPA_SUSPEND, "vring_suspend"),                                   \
		ALLOW_IOCTL(VHOST_VDPA_RESUME, "vring_resume")

#define ROWS_VDPA_SETUP                                                                            \
	ALLOW_IOCTL(VHOST_VDPA_GET_DEVICE_ID, "vdpa learn_type"),                                  \
		ALLOW_IOCTL(VHOST_GET_FEATURES, "vdpa learn_type"),                                \
		ALLOW_IOCTL(VHOST_VDPA_GET_CONFIG_SIZE, "vdpa learn_type"),                        \
		ALLOW_IOCTL(VHOST_VDPA_GET_VQS_COUNT, "vdpa fit_queues"),                          \
		ALLOW_IOCTL(VHOST_GET_BACKEND_FEATURES, "vdpa own"),                               \
		ALLOW_IOCTL(VHOST_SET_OWNER, "vdpa own"),                                          \
		ALLOW_IOCTL(VHOST_SET_BACKEND_FEATURES, "vdpa own"),                               \
		ALLOW_IOCTL(VHOST_VDPA_GET_VRING_NUM, "vdpa size_queues"),                         \
		ALLOW_IOCTL(VHOST_VDPA_GET_VRING_SIZE, "vdpa size_queues"),                        \
		ALLOW_IOCTL(VHOST_VDPA_GET_IOVA_RANGE, "vdpa check_range")
