/* SPDX-License-Identifier: Apache-2.0
 *
 * The power button, and the time the guest has after it. Core process, main thread.
 */
#include "vmm/shutdown.h"

#include "ipc/frame.h"
#include "ipc/log.h"

void shutdown_init(struct shutdown *shutdown, struct vm *vm, struct platform *platform,
	unsigned timeout_s)
{
	*shutdown = (struct shutdown){.vm = vm, .platform = platform, .timeout_s = timeout_s};
}

void shutdown_now(const struct shutdown *shutdown, const char *why)
{
	log_info("%s: the VM ends", why);
	vm_ask(shutdown->vm, VM_CUT_OFF);
}

void shutdown_ask(struct shutdown *shutdown, const char *why)
{
	if (shutdown->asked || shutdown->timeout_s == 0) {
		shutdown_now(shutdown, why);
		return;
	}
	shutdown->asked = true;
	shutdown->cut_off_at = now_ms() + shutdown->timeout_s * 1000ll;
	if (platform_press_power(shutdown->platform)) {
		log_info("%s: the power button is pressed; the guest has %u s", why,
			shutdown->timeout_s);
		return;
	}
	log_warn("%s: the guest does not listen to its power button: the VM ends at once", why);
	vm_ask(shutdown->vm, VM_CUT_OFF);
}

int shutdown_left_ms(const struct shutdown *shutdown)
{
	int64_t left = shutdown->cut_off_at - now_ms();

	return !shutdown->asked ? -1 : left > 0 ? (int)left : 0;
}

void shutdown_tick(const struct shutdown *shutdown)
{
	if (shutdown_left_ms(shutdown) != 0 || shutdown->vm->request >= VM_CUT_OFF)
		return;
	log_warn("the guest has not powered off %u s after its power button was pressed: the VM ends",
		shutdown->timeout_s);
	vm_ask(shutdown->vm, VM_CUT_OFF);
}
