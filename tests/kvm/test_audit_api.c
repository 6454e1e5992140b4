/* SPDX-License-Identifier: Apache-2.0
 *
 * `bulkhead audit` of a VM with an API: opener and api are of the VM, whether a guest runs or not, and
 * whichever api it is by now.
 */
#include "tests/kvm/audit.h"
#include "tests/kvm/operated.h"

static void expect_as_promised(unsigned processes)
{
	read_until(run.err_text, "seccomp: open, run policy");
	audit_as(0);
	cr_assert_eq(report.status, 0, "%s", report.text);
	cr_expect(strstr(report.text, "bulkhead-open: opener\n") && strstr(report.text, "bulkhead-api: api\n"), "%s",
		report.text);
	cr_expect_eq(count("  ok        binary "), processes, "%s", report.text);
	cr_expect_eq(count("  ok        descriptors "), processes, "%s", report.text);
	cr_expect_eq(count("  ok        seccomp "), processes, "%s", report.text);
	cr_expect_eq(count("  ok        dumpable "), processes - 1, "%s", report.text);
	cr_expect_eq(count("none in any of five sets"), processes - 1, "%s", report.text);
	/* Opener and launcher are where names mean something. */
	cr_expect_eq(count("own user, mnt, net, ipc, uts, cgroup, pid"), processes - 2, "%s", report.text);
}

Test(audit_api, whether_a_guest_runs_or_not, .init = needs_an_audit, .timeout = 120)
{
	start_operated("");
	expect_as_promised(5); /* launcher, opener, api, core, and a broker for devices to come */
	cr_expect_eq(call("PUT", "vm.shutdown", ""), 204);
	expect_as_promised(3);
	cr_expect_eq(call("PUT", "vm.boot", ""), 204);
	await_guest();
	expect_as_promised(5);
	cr_expect_eq(call("PUT", "vm.delete", ""), 204);
	expect_as_promised(3);
	end_operated();
}

/* The launcher had its own walls by then. */
Test(audit_api, an_api_that_was_started_anew, .init = needs_an_audit, .timeout = 120)
{
	start_operated("");
	kill(living_child_of("api", 0), SIGKILL);
	cr_expect_eq(call("GET", "vmm.ping", ""), 200);
	expect_as_promised(5);
	end_operated();
}

Test(audit_api, a_user_of_its_own, .init = needs_an_audit, .timeout = 120)
{
	if (!may_run_it(64321, 64322)) {
		unlink(kernel);
		cr_skip_test("uid 64321 may not run the build tree's binary");
	}
	start_operated("--user 64321:64322");
	expect_as_promised(5);
	cr_expect_eq(count("uid 64321, gid 64322"), 4, "%s", report.text);
	cr_expect_eq(call("PUT", "vm.shutdown", ""), 204);
	cr_expect_eq(call("PUT", "vm.boot", ""), 204);
	await_guest();
	expect_as_promised(5);
	end_operated();
}

Test(audit_api, filters_that_stop_nothing_are_named, .init = needs_an_audit, .timeout = 120)
{
	start_operated("--seccomp false");
	audit_as(0);
	cr_expect_eq(report.status, 1, "%s", report.text);
	cr_expect(strstr(report.text, "(bulkhead-open): no filter at all"), "%s", report.text);
	cr_expect(strstr(report.text, "(bulkhead-api): no filter at all"), "%s", report.text);
	end_operated();
}
