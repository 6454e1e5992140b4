/* SPDX-License-Identifier: Apache-2.0
 *
 * The main thread at a remote function while a vCPU does nothing but access it, with a helper that takes
 * its time: it does not wait for long, and not at all to learn that there is nothing to do.
 *
 * links: vmm/pci/remote.c vmm/pci/remote_bar.c vmm/pci/remote_irq.c vmm/pci/remote_kick.c vmm/pci/remote_life.c
 * links: vmm/pci/remote_map.c vmm/pci/remote_rom.c vmm/peer.c vmm/peer_state.c vmm/kvm/gate.c vmm/boot/image.c
 * links: ipc/describe.c vmm/pci/msi.c vmm/pci/msix.c vmm/pci/pci.c vmm/pci/bus.c
 */
#include "ipc/frame.h"
#include "tests/unit/remote_device.h"

enum { ACCESS_US = 5000, EXIT_NS = 4000, TRIES = 40 };

static _Atomic unsigned accesses;
static _Atomic bool enough;

/* From one trapped access to the next: the way through KVM and a guest instruction. */
static void exit_and_entry(void)
{
	struct timespec from, now;

	clock_gettime(CLOCK_MONOTONIC, &from);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - from.tv_sec) * 1000000000 + now.tv_nsec - from.tv_nsec < EXIT_NS);
}

static void *accesses_only(void *arg)
{
	while (!enough) {
		remote_lock(arg);
		accesses++;
		usleep(ACCESS_US);
		remote_unlock(arg);
		exit_and_entry();
	}
	return NULL;
}

static pthread_t vcpu(void)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, accesses_only, &fn), 0);
	while (!accesses)
		usleep(100);
	return thread;
}

TestSuite(remote_life, .init = setup, .timeout = 30);

Test(remote_life, the_main_thread_is_next)
{
	pthread_t thread = vcpu();
	unsigned waited = 0;

	for (unsigned i = 0; i < TRIES; i++) {
		unsigned before = accesses;

		remote_on_event(&fn);
		waited += accesses - before;
		usleep(ACCESS_US);
	}
	enough = true;
	pthread_join(thread, NULL);
	cr_expect(waited <= 2 * TRIES, "%u accesses", waited);
}

/* Each time it wakes up, for whatever: SIGTERM is behind it. */
Test(remote_life, that_there_is_nothing_to_do_is_known_at_once)
{
	const int64_t began = now_ms();

	remote_lock(&fn);
	cr_expect(!remote_to_be_ended(&fn));
	cr_expect(remote_state(&fn) == PEER_SERVES);
	cr_expect(now_ms() - began < 1000);
	remote_unlock(&fn);
}
