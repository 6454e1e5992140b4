/* SPDX-License-Identifier: Apache-2.0
 *
 * The real broker and the real null helper, with this test as their launcher, opener and core: from
 * their birth to the core's end.
 *
 * links: tests/census.c helpers/launch/children.c helpers/launch/birth.c helpers/launch/life.c
 * links: helpers/launch/rebirth.c helpers/launch/terminal.c helpers/launch/cgroup.c helpers/opts/opts_api.c helpers/opts/opts_value.c
 * links: helpers/launch/tenant.c helpers/opts/opts_user.c
 */
#include "tests/unit/broker_process.h"

TestSuite(broker, .init = needs_namespaces, .timeout = 60);

Test(broker, a_whole_life)
{
	struct vm vm;
	uint64_t value;

	bring_up(&vm);
	cr_assert_eq(vm.desc[0].config_size, 256);
	cr_assert_eq(vm.desc[0].regions[0].size, 16384);
	cr_assert_eq(vm.desc[0].msix.vectors, 8);
	cr_assert_eq(config_read(&vm, 1, 0, 4, &value), 0);
	cr_assert_eq(value, 0x0b01fffe);
	cr_assert_eq(region_write(&vm, 0, 0x10, 4, 0x12345678), 0);
	cr_assert_eq(region_read(&vm, 0, 0x12, 2), 0x1234);
	cr_assert_eq(region_read(&vm, 1, 0x10, 4), 0, "the other device's register changed");
	stop(&vm);
}

Test(broker, accesses_that_are_not_there_are_refused)
{
	struct vm vm;
	uint64_t value;

	bring_up(&vm);
	cr_assert_eq(config_read(&vm, 0, 256, 4, &value), -EINVAL);
	cr_assert_eq(config_read(&vm, 0, 2, 4, &value), -EINVAL);
	cr_assert_eq(config_read(&vm, 0, 0, 3, &value), -EINVAL);
	cr_assert_eq(config_read(&vm, 0, 0xfffffffc, 4, &value), -EINVAL);
	cr_assert_eq(region_write(&vm, 0, 16384, 4, 0), -EINVAL);
	cr_assert_eq(region_write(&vm, 0, UINT64_MAX - 3, 4, 0), -EINVAL);
	cr_assert_eq(region_write(&vm, 0, 0, 16, 0), -EINVAL);
	cr_assert_eq(config_read(&vm, 0, 0, 2, &value), 0, "refusing is not the end");
	stop(&vm);
}

Test(broker, an_interrupt_reaches_its_eventfd)
{
	Bulkhead__MsixEnable enable = BULKHEAD__MSIX_ENABLE__INIT;
	Bulkhead__MsixArm arm = BULKHEAD__MSIX_ARM__INIT;
	Bulkhead__MsixDisable disable = BULKHEAD__MSIX_DISABLE__INIT;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct vm vm;
	uint64_t count = 0;

	bring_up(&vm);
	arm.vector = 3;
	cr_assert_eq(chan_ask(&vm.device[0], &PACKET(MSIX_ARM, msix_arm, &arm), &fd, 1, NULL,
		&err), -EINVAL, "armed although MSI-X is off");
	cr_assert_eq(chan_ask(&vm.device[0], &PACKET(MSIX_ENABLE, msix_enable, &enable), NULL,
		0, NULL, &err), 0);
	cr_assert_eq(chan_ask(&vm.device[0], &PACKET(MSIX_ARM, msix_arm, &arm), &fd, 1, NULL,
		&err), 0, "%s", err.msg);
	cr_assert_eq(region_write(&vm, 0, 0x100, 4, 3), 0);
	cr_assert_eq(read(fd, &count, 8), 8);
	cr_assert_eq(count, 1);
	cr_assert_eq(region_write(&vm, 0, 0x100, 4, 2), 0);
	cr_assert_eq(region_write(&vm, 0, 0x100, 4, 8), 0);
	cr_assert_eq(chan_ask(&vm.device[0], &PACKET(MSIX_DISABLE, msix_disable, &disable), NULL,
		0, NULL, &err), 0);
	cr_assert_eq(region_write(&vm, 0, 0x100, 4, 3), 0);
	cr_assert_eq(read(fd, &count, 8), -1);
	stop(&vm);
}

/* Each channel end is in one process only: the descriptors the launcher had are gone. */
Test(broker, the_launcher_keeps_no_channel)
{
	static struct vm vm;
	int before;

	start_broker(&vm);
	before = census_fds(0);
	tell_device(&vm, 0);
	start_helper(&vm, 0);
	cr_assert_eq(census_fds(0), before + 3, "its words, and two of ours, as the core");
	cr_assert_eq(ask_start(&vm), 0, "%s", err.msg);
	attach(&vm, 0);
	stop(&vm);
}

Test(broker, there_is_one_of_a_kind_and_slot)
{
	static struct vm vm;

	start_broker(&vm);
	cr_assert_eq(child_start(&vm.launch, KIND_BROKER, 0, LIFE + 1, 0, &err), -EBUSY);
	cr_assert(strstr(err.msg, "bulkhead-broker 0: there is one"), "%s", err.msg);
	start_helper(&vm, 1);
	cr_assert_eq(child_start(&vm.launch, KIND_NULL, 1, LIFE + 1, 0, &err), -EBUSY);
	cr_assert_eq(child_start(&vm.launch, KIND_NULL, VM_SLOTS, LIFE, 0, &err), -EBUSY, "no such slot");
	stop(&vm);
}

/* Nobody would hold the other end. */
Test(broker, no_helper_without_a_broker)
{
	static struct vm vm;

	start_broker(&vm);
	kill(broker(&vm)->pid, SIGKILL);
	reap(&vm, broker(&vm));
	cr_assert_eq(child_start(&vm.launch, KIND_NULL, 0, LIFE, 0, &err), -ESRCH);
	cr_assert(strstr(err.msg, "bulkhead-null: its channels: the other end is not there"), "%s", err.msg);
	cr_assert(helper(&vm, 0)->pid == 0 && helper(&vm, 0)->words.n < 0);
}
