/* SPDX-License-Identifier: Apache-2.0
 *
 * Posted interrupts: VT-d's on top of APICv, the AMD IOMMU's guest vAPIC mode on top of AVIC.
 *
 * Opener process. KVM posts where its vendor module has the
 * virtual APIC on and every IOMMU can (Linux arch/x86/kvm/x86.c, enable_device_posted_irqs), and for
 * as long as nothing inhibits the APIC (enum kvm_apicv_inhibit). Of the inhibitions a VMM can cause
 * there is none here:
 *
 *   PIT_REINJ            re-injection is turned off (vm.c)
 *   ABSENT               the irqchip is KVM's
 *   HYPERV, SEV, NESTED  the guest is offered none of the three (cpuid.c)
 *   BLOCKIRQ             nobody may ask for guest debugging (seccomp/core.c)
 *   PHYSICAL_ID_ALIASED  x2APIC ids have 32 bits (vm.c), and each is its vCPU's
 *   PHYSICAL_ID_TOO_BIG  AVIC only, by the size of the guest: said below
 *
 * The others (IRQWIN, APIC_ID_MODIFIED, APIC_BASE_MODIFIED, LOGICAL_ID_ALIASED) are the guest's own
 * doing; Linux does none of them once it runs.
 */
#include "helpers/host/posted.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers/host/files.h"
#include "ipc/fd.h"
#include "ipc/log.h"

enum {
	AVIC_MAX_ID = 254, X2AVIC_MAX_ID = 511, /* Linux arch/x86/include/asm/svm.h */
	CPUINFO_BYTES = 8192,
};

static const struct vendor {
	const char *module, *parameter, *name, *flag; /* flag: the CPU has it, where one says so */
} vendors[] = {
	{"kvm_intel", "enable_apicv", "APICv", NULL},
	{"kvm_amd", "avic", "AVIC", "avic"},
};

/* Where an IOMMU says that it can post. */
static const struct unit {
	const char *prefix, *file;
	unsigned bit;
} units[] = {
	{"dmar", "intel-iommu/cap", 59},      /* VT-d 11.4.2, PI */
	{"ivhd", "amd-iommu/features", 21},   /* AMD IOMMU, extended features: GAMSup */
};

static void no(struct posted *ret, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void no(struct posted *ret, const char *fmt, ...)
{
	va_list args;

	ret->can = false;
	va_start(args, fmt);
	vsnprintf(ret->what, sizeof(ret->what), fmt, args);
	va_end(args);
}

/* Of the first processor. */
static bool cpu_has(const char *cpuinfo, const char *flag)
{
	const char *at = strstr(cpuinfo, "\nflags"), *end = at ? strchr(at + 1, '\n') : NULL;
	size_t len = strlen(flag);

	while (at && (at = strstr(at, flag)) && (!end || at < end)) {
		if (at[-1] == ' ' && (at[len] == ' ' || at[len] == '\n' || at[len] == '\0'))
			return true;
		at += len;
	}
	return false;
}

/* 'Y', 'N', or 0: there is no such parameter. */
static char parameter(int root, const char *module, const char *name)
{
	char text[8];

	if (attr_read(root, text, sizeof(text), "sys/module/%s/parameters/%s", module, name) < 1)
		return 0;
	return text[0] == '1' ? 'Y' : text[0] == '0' ? 'N' : text[0];
}

static const struct vendor *find_vendor(int root)
{
	for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++) {
		if (parameter(root, vendors[i].module, vendors[i].parameter))
			return &vendors[i];
	}
	return NULL;
}

static bool unit_posts(int root, const char *name)
{
	char text[64];

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		const struct unit *unit = &units[i];

		if (strncmp(name, unit->prefix, strlen(unit->prefix)) != 0)
			continue;
		return attr_read(root, text, sizeof(text), "sys/class/iommu/%s/%s", name,
			unit->file) > 0 && strtoull(text, NULL, 16) >> unit->bit & 1;
	}
	return true; /* an IOMMU of another kind remaps no MSI */
}

/* True: all of them can; else *ret says which cannot. */
static bool iommus_post(int root, struct posted *ret)
{
	int fd = openat(root, "sys/class/iommu", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	unsigned n = 0;
	bool all = true;

	while (dir && all && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		n++;
		all = unit_posts(root, entry->d_name);
		if (!all)
			no(ret, "IOMMU %.32s cannot post", entry->d_name);
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	if (n == 0)
		no(ret, "no IOMMU is on (intel_iommu=on; AMD's is on by default)");
	return all && n > 0;
}

static void no_virtual_apic(const struct vendor *vendor, const char *cpuinfo, struct posted *ret)
{
	const char *guest = cpu_has(cpuinfo, "hypervisor") ? "; this host is itself a guest" : "";

	if (vendor->flag && !cpu_has(cpuinfo, vendor->flag))
		no(ret, "this CPU shows no %s%s", vendor->name, guest);
	else
		no(ret, "%s is off: %s.%s is N; load %s with %s=1 where the CPU has it%s",
			vendor->name, vendor->module, vendor->parameter, vendor->module,
			vendor->parameter, guest);
}

void posted_look(int root, unsigned max_apic_id, struct posted *ret)
{
	const struct vendor *vendor = find_vendor(root);
	char cpuinfo[CPUINFO_BYTES], posts;
	unsigned reach;

	*ret = (struct posted){.can = true};
	attr_read(root, cpuinfo, sizeof(cpuinfo), "proc/cpuinfo");
	if (!vendor) {
		no(ret, "KVM runs here without VT-x or AMD-V (neither kvm_intel nor kvm_amd)");
		return;
	}
	if (parameter(root, vendor->module, vendor->parameter) != 'Y') {
		no_virtual_apic(vendor, cpuinfo, ret);
		return;
	}
	/* Linux 6.16 and newer have the answer of module and IOMMUs in one. */
	posts = parameter(root, vendor->module, "enable_device_posted_irqs");
	if (posts != 'Y' && !iommus_post(root, ret))
		return;
	reach = cpu_has(cpuinfo, "x2avic") ? X2AVIC_MAX_ID : AVIC_MAX_ID;
	if (posts == 'N')
		no(ret, "%s.enable_device_posted_irqs is N: the host's interrupt remapping is off, "
			"or does without posting", vendor->module);
	else if (vendor->flag && max_apic_id > reach)
		no(ret, "the guest has APIC ids up to %u, this CPU's AVIC reaches %u", max_apic_id,
			reach);
	else
		snprintf(ret->what, sizeof(ret->what), "%s", vendor->name);
}

void posted_say(int root, unsigned max_apic_id)
{
	struct posted posted;

	if (!log_enabled(LOG_INFO))
		return;
	posted_look(root, max_apic_id, &posted);
	log_info(posted.can ? "device interrupts: the hardware can post them to vCPUs, by %s"
		: "device interrupts: KVM injects them, as they cannot be posted: %s", posted.what);
}
