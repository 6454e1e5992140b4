/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether this host posts device interrupts, and why not, on hosts made of files.
 *
 * links: helpers/host/posted.c helpers/host/files.c
 */
#include <errno.h>
#include <stdint.h>

#include "helpers/host/files.h"
#include "helpers/host/posted.h"
#include "tests/unit/tree.h"

static struct posted posted;

static void host(const char *flags, const char *module, const char *parameter, const char *value)
{
	char path[128], text[256];

	tree_make();
	snprintf(text, sizeof(text), "processor\t: 0\nflags\t\t: %s\nbugs\t\t: none\n", flags);
	tree_file("proc/cpuinfo", text);
	if (!module)
		return;
	snprintf(path, sizeof(path), "sys/module/%s/parameters/%s", module, parameter);
	tree_file(path, value);
}

static void xeon(void)
{
	host("fpu vmx", "kvm_intel", "enable_apicv", "Y\n");
	tree_file("sys/class/iommu/dmar0/intel-iommu/cap", "8d2078c106f0466\n"); /* bit 59 */
	tree_file("sys/class/iommu/dmar1/intel-iommu/cap", "8d2078c106f0466\n");
}

static void epyc(const char *flags)
{
	host(flags, "kvm_amd", "avic", "Y\n");
	tree_file("sys/class/iommu/ivhd0/amd-iommu/features", "246577efa2254afa:0\n"); /* bit 21 */
}

/* why: NULL where it can. */
static void expect(unsigned line, unsigned max_apic_id, const char *why)
{
	posted_look(tree, max_apic_id, &posted);
	tree_remove();
	cr_expect(posted.can == !why && (!why || strstr(posted.what, why)), "line %u: %d, %s", line,
		posted.can, posted.what);
}

#define CAN(max)	 expect(__LINE__, max, NULL)
#define CANNOT(max, why) expect(__LINE__, max, why)

Test(posted, intel)
{
	xeon();
	CAN(1023);
	xeon();
	tree_file("sys/class/iommu/dmar1/intel-iommu/cap", "d2078c106f0466\n");
	CANNOT(0, "dmar1");
	xeon();
	tree_file("sys/module/kvm_intel/parameters/enable_apicv", "N\n");
	CANNOT(0, "enable_apicv=1");
	host("fpu vmx", "kvm_intel", "enable_apicv", "Y\n");
	CANNOT(0, "intel_iommu=on");
}

/* Linux 6.16 says it in one place, and that counts. */
Test(posted, parameter_of_the_module)
{
	host("fpu vmx", "kvm_intel", "enable_apicv", "Y\n");
	tree_file("sys/module/kvm_intel/parameters/enable_device_posted_irqs", "Y\n");
	CAN(0);
	xeon();
	tree_file("sys/module/kvm_intel/parameters/enable_device_posted_irqs", "N\n");
	CANNOT(0, "enable_device_posted_irqs is N");
}

Test(posted, amd)
{
	epyc("fpu svm avic");
	CAN(254);
	epyc("fpu svm avic");
	CANNOT(255, "reaches 254");
	epyc("fpu svm avic x2avic");
	CAN(511);
	epyc("fpu svm avic x2avic");
	CANNOT(512, "reaches 511");
	epyc("fpu svm avic");
	tree_file("sys/module/kvm_amd/parameters/avic", "0\n"); /* before Linux 5.19 */
	CANNOT(0, "avic=1");
	epyc("fpu svm x2avic"); /* a word of its own, not the end of another */
	tree_file("sys/module/kvm_amd/parameters/avic", "N\n");
	CANNOT(0, "shows no AVIC");
	epyc("fpu svm avic");
	tree_file("sys/class/iommu/ivhd0/amd-iommu/features", "80:0\n");
	CANNOT(0, "ivhd0");
}

Test(posted, a_guest_and_no_hardware_virtualization)
{
	host("fpu svm hypervisor", "kvm_amd", "avic", "N\n");
	CANNOT(0, "itself a guest");
	host("fpu hypervisor", NULL, NULL, NULL);
	CANNOT(0, "without VT-x or AMD-V");
}

Test(posted, nothing_can_be_read)
{
	tree_make();
	CANNOT(0, "without VT-x or AMD-V");
	host("fpu vmx", "kvm_intel", "enable_apicv", "");
	CANNOT(0, "without VT-x or AMD-V");
}

Test(files, numbers)
{
	uint64_t value = 7;

	tree_make();
	tree_file("m", "Node 0 MemTotal:  12 kB\nNode 0 MemFree:  345 kB\n");
	tree_file("n", "42\n");
	cr_expect(attr_number(tree, &value, "MemFree:", "m") == 0 && value == 345);
	cr_expect(attr_number(tree, &value, NULL, "n") == 0 && value == 42);
	cr_expect(attr_number(tree, &value, "Nothing:", "m") == -ENOENT);
	cr_expect(attr_number(tree, &value, NULL, "m") == -ENOENT && value == 42);
	cr_expect(attr_number(tree, &value, NULL, "absent") == -ENOENT);
	tree_remove();
}
