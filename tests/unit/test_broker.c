/* SPDX-License-Identifier: Apache-2.0
 *
 * The real broker and the real null helper, with this test as their core: from Start to a helper
 * that is killed and a core that goes away without a word.
 *
 * links: tests/census.c
 */
#include "tests/unit/broker_process.h"

TestSuite(broker, .init = needs_namespaces, .timeout = 60);

Test(broker, a_whole_life)
{
	struct core core;
	uint64_t value;

	bring_up(&core);
	cr_assert_eq(core.desc[0].config_size, 256);
	cr_assert_eq(core.desc[0].regions[0].size, 16384);
	cr_assert_eq(core.desc[0].msix.vectors, 8);
	cr_assert_eq(config_read(&core, 1, 0, 4, &value), 0);
	cr_assert_eq(value, 0x0b01fffe);
	cr_assert_eq(region_write(&core, 0, 0x10, 4, 0x12345678), 0);
	cr_assert_eq(region_read(&core, 0, 0x12, 2), 0x1234);
	cr_assert_eq(region_read(&core, 1, 0x10, 4), 0, "the other device's register changed");
	stop(&core);
}

Test(broker, accesses_that_are_not_there_are_refused)
{
	struct core core;
	uint64_t value;

	bring_up(&core);
	cr_assert_eq(config_read(&core, 0, 256, 4, &value), -EINVAL);
	cr_assert_eq(config_read(&core, 0, 2, 4, &value), -EINVAL);
	cr_assert_eq(config_read(&core, 0, 0, 3, &value), -EINVAL);
	cr_assert_eq(config_read(&core, 0, 0xfffffffc, 4, &value), -EINVAL);
	cr_assert_eq(region_write(&core, 0, 16384, 4, 0), -EINVAL);
	cr_assert_eq(region_write(&core, 0, UINT64_MAX - 3, 4, 0), -EINVAL);
	cr_assert_eq(region_write(&core, 0, 0, 16, 0), -EINVAL);
	cr_assert_eq(config_read(&core, 0, 0, 2, &value), 0, "refusing is not the end");
	stop(&core);
}

Test(broker, an_interrupt_reaches_its_eventfd)
{
	Bulkhead__MsixEnable enable = BULKHEAD__MSIX_ENABLE__INIT;
	Bulkhead__MsixArm arm = BULKHEAD__MSIX_ARM__INIT;
	Bulkhead__MsixDisable disable = BULKHEAD__MSIX_DISABLE__INIT;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct core core;
	uint64_t count = 0;

	bring_up(&core);
	arm.vector = 3;
	cr_assert_eq(chan_ask(&core.device[0], &PACKET(MSIX_ARM, msix_arm, &arm), &fd, 1, NULL,
		&err), -EINVAL, "armed although MSI-X is off");
	cr_assert_eq(chan_ask(&core.device[0], &PACKET(MSIX_ENABLE, msix_enable, &enable), NULL,
		0, NULL, &err), 0);
	cr_assert_eq(chan_ask(&core.device[0], &PACKET(MSIX_ARM, msix_arm, &arm), &fd, 1, NULL,
		&err), 0, "%s", err.msg);
	cr_assert_eq(region_write(&core, 0, 0x100, 4, 3), 0);
	cr_assert_eq(read(fd, &count, 8), 8);
	cr_assert_eq(count, 1);
	cr_assert_eq(region_write(&core, 0, 0x100, 4, 2), 0);
	cr_assert_eq(region_write(&core, 0, 0x100, 4, 8), 0);
	cr_assert_eq(chan_ask(&core.device[0], &PACKET(MSIX_DISABLE, msix_disable, &disable), NULL,
		0, NULL, &err), 0);
	cr_assert_eq(region_write(&core, 0, 0x100, 4, 3), 0);
	cr_assert_eq(read(fd, &count, 8), -1);
	stop(&core);
}
