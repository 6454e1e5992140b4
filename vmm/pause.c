/* SPDX-License-Identifier: Apache-2.0
 *
 * Pause and resume. Core process, main thread.
 *
 * Order: vCPUs stop before devices, so that no queue is filled behind a device's back, and go on
 * after them, so that no notification meets a device that does not listen yet.
 */
#include "vmm/pause.h"

#include <errno.h>

#include "vmm/kvm/vcpu.h"

/* The first n slots' devices; every one is asked, the first failure is told. */
static int resume_devices(struct devices *devices, unsigned n, struct err *err)
{
	struct err one = {0};
	int r = 0;

	for (unsigned i = 0; i < n; i++) {
		if (devices->slots[i].step != SLOT_HERE ||
			remote_resume(&devices->slots[i].remote, &one) == 0 || r < 0)
			continue;
		r = one.code;
		if (err)
			*err = one;
	}
	return r;
}

int vm_pause(struct vm *vm, struct devices *devices, struct err *err)
{
	unsigned i;
	int r = 0;

	if (!vcpus_park(vm)) {
		vcpus_resume(vm);
		return err_set(err, -ETIMEDOUT, BLAME_HOST, "a vCPU does not stop; the VM goes on");
	}
	for (i = 0; i < VM_SLOTS && r == 0; i++) {
		if (devices->slots[i].step == SLOT_HERE)
			r = remote_suspend(&devices->slots[i].remote, err);
	}
	if (r == 0)
		return 0;
	resume_devices(devices, i - 1, NULL);
	vcpus_resume(vm);
	return r;
}

int vm_resume(struct vm *vm, struct devices *devices, struct err *err)
{
	int r = resume_devices(devices, VM_SLOTS, err);

	vcpus_resume(vm);
	return r;
}
