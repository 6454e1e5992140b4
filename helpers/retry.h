/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests that reset a PCI device. The kernel does not wait for the device's lock there
 * (pci_try_reset_function, pci_reset_bus), which whoever reads of it in sysfs may have for a
 * moment.
 *
 * Broker and VFIO helper.
 */
#pragma once

/* An ioctl that is asked again for two seconds while it says EAGAIN or `busy` (0: EAGAIN alone).
 * What it returns, or -errno. */
int ioctl_retry(int fd, unsigned long request, void *arg, int busy);
