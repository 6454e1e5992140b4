/* SPDX-License-Identifier: Apache-2.0
 *
 * --seccomp log on the whole program: the tracer follows every process, and says what the policies
 * would have killed. A core and a broker of this test (tests/kvm/stray_call.c) make the calls they would.
 */
#include "tests/kvm/process.h"

static void skip_without_filters(void)
{
#ifdef BULKHEAD_SANITIZER
	cr_skip_test("a sanitizer build loads no policy");
#endif
	needs_a_vm();
}

/* The tracer follows every process and thread, and its report is out before the core has ended. */
Test(seccomp_log, reports_every_process, .init = skip_without_filters, .timeout = 60)
{
	static const char *const policies[] = {"core (setup)", "core (run)", "vcpu (run)",
		"broker (setup)", "broker (run)", "null (setup)", "null (run)"};

	make_kernel(says_hi, sizeof(says_hi));
	start("--cpus boot=2 --null --null --seccomp log", -1, 0);
	finish(0);
	cr_expect(strcmp(run.out_text, "hi") == 0, "%s", run.out_text);
	for (unsigned i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		char line[100];

		snprintf(line, sizeof(line), "%s, entered %d times: 0 kinds", policies[i],
			i == 2 || i > 4 ? 2 : 1);
		cr_expect(strstr(run.err_text, line), "no «%s»: %s", line, run.err_text);
	}
}

/* Kicked by a main thread that has a number of its own for itself, as it is first in a pid namespace. */
Test(seccomp_log, nothing_is_missing_for_a_cut_off, .init = skip_without_filters, .timeout = 60)
{
	make_kernel(sleeps, sizeof(sleeps));
	start("--cpus boot=2 --null --seccomp log", -1, 0);
	read_until(run.out_text, "!");
	kill(run.pid, SIGTERM);
	finish(3);
	cr_expect(strstr(run.err_text, "core (run), entered 1 times: 0 kinds"), "%s", run.err_text);
	cr_expect(!strstr(run.err_text, "would have been killed, "), "%s", run.err_text);
}

static void use_stray_call(void)
{
	static char path[PATH_MAX];

	binary(path);
	strcpy(strrchr(path, '/'), "/tests/stray");
	folder = path;
}

/* What log mode is compared with: under the filters as they are the core is the first to die. */
Test(seccomp_log, without_it_such_a_call_kills, .init = skip_without_filters, .timeout = 60)
{
	make_kernel(says_hi, sizeof(says_hi));
	use_stray_call();
	start("", -1, 0);
	finish(2);
	cr_expect(run.out_len == 0, "%s", run.out_text);
	cr_expect(strstr(run.err_text, "bulkhead-core was killed by seccomp (SIGSYS); the VM has ended"),
		"%s", run.err_text);
}

Test(seccomp_log, names_the_row, .init = skip_without_filters, .timeout = 60)
{
	static const char *const policies[] = {"core (setup)", "core (run)", "vcpu (run)",
		"broker (run)"};

	make_kernel(says_hi, sizeof(says_hi));
	use_stray_call();
	start("--null --seccomp log", -1, 0);
	finish(0);
	cr_expect(strcmp(run.out_text, "hi") == 0, "%s", run.out_text);
	for (unsigned i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		char line[100];

		snprintf(line, sizeof(line), "%s: getuid would have been killed, ", policies[i]);
		cr_expect(strstr(run.err_text, line), "no «%s»: %s", line, run.err_text);
	}
	cr_expect(strstr(run.err_text, "its row: ALLOW(getuid, \"why\")"));
	cr_expect(strstr(run.err_text, "null (run), entered 1 times: 0 kinds"));
}

/* Said twice, -v is for everything: how often each row was used, too. */
Test(seccomp_log, counts_rows, .init = skip_without_filters, .timeout = 60)
{
	make_kernel(says_hi, sizeof(says_hi));
	start("-v --null --seccomp log", -1, 0);
	finish(0);
	cr_expect(strstr(run.err_text, "vcpu (run): row used 4 times: ioctl 0xae80 KVM_RUN"), "%s",
		run.err_text);
	cr_expect(strstr(run.err_text, "core (run): row used 0 times: tgkill") == NULL, "%s",
		run.err_text);
	cr_expect(strstr(run.err_text, "broker (run): row used 0 times: ioctl 0x3b72 VFIO_IOMMU_UNMAP_DMA"));
}
