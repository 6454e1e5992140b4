/* SPDX-License-Identifier: Apache-2.0
 *
 * What bulkhead-audit makes of /proc: texts as kernels write them, and texts as a hostile process
 * would like them to be.
 *
 * links: helpers/audit/proc.c helpers/audit/digest.c
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helpers/audit/audit.h"

Test(audit, status_fields)
{
	static const char status[] =
		"Name:\tevil\\nUid:\nUmask:\t0022\nUid:\t1000\t1000\t1000\t1000\nGroups:\t \n"
		"CapEff:\t0000000000000000\nSeccomp:\t2\nSeccomp_filters:\t3\n";
	char value[32];

	cr_assert(status_field(status, "Uid", value, sizeof(value)));
	cr_expect_str_eq(value, "1000\t1000\t1000\t1000");
	cr_assert(status_field(status, "Seccomp", value, sizeof(value)));
	cr_expect_str_eq(value, "2");
	cr_assert(status_field(status, "Seccomp_filters", value, sizeof(value)));
	cr_expect_str_eq(value, "3");
	cr_assert(status_field(status, "Groups", value, sizeof(value)));
	cr_expect_str_eq(value, "");
	cr_expect(!status_field(status, "CapBnd", value, sizeof(value)));
	cr_expect(!status_field("", "Uid", value, sizeof(value)));
	cr_expect(!status_field("NoUid:\t0\n", "Uid", value, sizeof(value)));
}

Test(audit, ids)
{
	struct ids ids;

	cr_assert(status_ids("Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t4294967294\n", &ids));
	cr_expect(ids.uid[0] == 1 && ids.uid[3] == 4 && ids.gid[0] == 5 && ids.gid[3] == 0xfffffffe);
	cr_expect(!status_ids("Uid:\t1\t2\t3\t4\n", &ids));
	cr_expect(!status_ids("Uid:\t1\t2\t3\nGid:\t5\t6\t7\t8\n", &ids));
	cr_expect(!status_ids("Uid:\t1\t2\t3\t4\nGid:\tx\n", &ids));
}

Test(audit, limits)
{
	static const char limits[] =
		"Limit                     Soft Limit           Hard Limit           Units     \n"
		"Max file size             unlimited            unlimited            bytes     \n"
		"Max open files            16                   17                   files     \n"
		"Max processes             x                    y                    processes \n";
	uint64_t value = 1;

	cr_expect(limits_field(limits, "Max open files", &value) && value == 17);
	cr_expect(limits_field(limits, "Max file size", &value) && value == UINT64_MAX);
	cr_expect(!limits_field(limits, "Max processes", &value));
	cr_expect(!limits_field(limits, "Max core file size", &value));
	cr_expect(!limits_field("Max open files", "Max open files", &value));
}

Test(audit, mappings)
{
	struct mapping map;

	cr_assert(maps_line("7f0000000000-7f0002000000 rw-s 00000000 00:01 1036                 "
			    "/memfd:guest-ram (deleted)\n", &map));
	cr_expect(map.start == 0x7f0000000000 && map.end == 0x7f0002000000);
	cr_expect(map.write && !map.execute);
	cr_expect_str_eq(map.path, "/memfd:guest-ram (deleted)");
	cr_assert(maps_line("7f0000000000-7f0002000000 rwxp 00000000 00:00 0 \n", &map));
	cr_expect(map.write && map.execute && !map.path[0]);
	cr_expect(!maps_line("Size:              32768 kB\n", &map));
	cr_expect(!maps_line("VmFlags: rd wr sh mr mw me ms sl\n", &map));
	cr_expect(!maps_line("7f0002000000-7f0000000000 rwxp 00000000 00:00 0\n", &map));
	cr_expect(!maps_line("", &map));
}

Test(audit, kinds_of_descriptors)
{
	static const struct {
		const char *link, *device;
		unsigned mode;
		enum held kind;
	} rows[] = {
		{"anon_inode:[eventfd]", "", 0600, HELD_EVENT},
		{"anon_inode:kvm-vm", "", 0600, HELD_KVM_VM},
		{"anon_inode:kvm-vcpu:31", "", 0600, HELD_KVM_VCPU},
		{"anon_inode:kvm-vfio", "", 0600, HELD_KVM_DEVICE},
		{"anon_inode:[vfio-device]", "", 0600, HELD_VFIO_DEVICE},
		{"anon_inode:[pidfd]", "", 0600, HELD_PID},
		{"pidfd:[4026]", "", 0600, HELD_PID},
		{"anon_inode:inotify", "", 0600, HELD_WATCH},
		{"anon_inode:[io_uring]", "", 0600, HELD_OTHER},
		{"anon_inode:bpf-map", "", 0600, HELD_OTHER},
		{"socket:[77]", "", S_IFSOCK, HELD_SOCKET},
		{"pipe:[78]", "", S_IFIFO, HELD_PIPE},
		{"/memfd:guest-ram (deleted)", "", S_IFREG, HELD_MEMFD},
		{"/memfd:[eventfd]", "", S_IFREG, HELD_MEMFD},
		{"/tmp/anon_inode:[eventfd]", "", S_IFREG, HELD_FILE},
		{"/", "", S_IFDIR, HELD_DIR},
		{"/dev/kvm", "misc/kvm", S_IFCHR, HELD_KVM},
		{"/tmp/innocent", "misc/kvm", S_IFCHR, HELD_KVM},
		{"/dev/null", "mem/null", S_IFCHR, HELD_NULL},
		{"/dev/mem", "mem/mem", S_IFCHR, HELD_OTHER},
		{"/dev/vfio/vfio", "misc/vfio", S_IFCHR, HELD_VFIO_CONTAINER},
		{"/dev/vfio/12", "vfio/12", S_IFCHR, HELD_VFIO_GROUP},
		{"/dev/vfio/devices/vfio0", "vfio-dev/vfio0", S_IFCHR, HELD_VFIO_DEVICE},
		{"/dev/iommu", "misc/iommu", S_IFCHR, HELD_IOMMU},
		{"/dev/vhost-vdpa-0", "vdpa0/vhost-vdpa-0", S_IFCHR, HELD_VDPA},
		{"/dev/pts/3", "", S_IFCHR, HELD_TTY},
		{"/dev/ttyS0", "tty/ttyS0", S_IFCHR, HELD_TTY},
		{"/dev/sda", "", S_IFBLK, HELD_OTHER},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum held kind = held_of(rows[i].link, rows[i].mode, rows[i].device);

		cr_expect(kind == rows[i].kind, "%s is a %s", rows[i].link, held_names[kind]);
	}
}

Test(audit, what_a_process_wrote_is_made_printable)
{
	char text[] = "a\033[2Jb\n\xff" "c";

	printable(text);
	cr_expect_str_eq(text, "a?[2Jb??c");
}

Test(audit, reading_stays_with_one_process)
{
	char text[64], link[8];
	int dir;

	cr_assert_eq(proc_open(getpid(), &dir), 0);
	cr_assert_eq(proc_read(dir, "status", text, sizeof(text)), 0);
	cr_expect(strlen(text) == sizeof(text) - 1 && strncmp(text, "Name:\t", 6) == 0);
	cr_assert_eq(proc_link(dir, "exe", link, sizeof(link)), 0);
	cr_expect_eq(strlen(link), sizeof(link) - 1);
	cr_expect(proc_read(dir, "nothing", text, sizeof(text)) < 0 && text[0] == '\0');
	close(dir);
	cr_expect(proc_open(0x7fffffff, &dir) < 0);
}

/* By another implementation. */
static void sha256sum(const char *file, char ret[static DIGEST_SIZE])
{
	char command[300];
	FILE *sum;

	snprintf(command, sizeof(command), "sha256sum '%s'", file);
	sum = popen(command, "r");
	cr_assert(sum && fscanf(sum, "%64s", ret) == 1, "%s", command);
	pclose(sum);
}

Test(audit, digests_are_those_of_what_was_built)
{
	static const char *const programs[] = {"bulkhead", "bulkhead-open", "bulkhead-api",
		"bulkhead-core", "bulkhead-broker", "bulkhead-vfio", "bulkhead-vdpa", "bulkhead-null"};
	char self[200], file[256], want[DIGEST_SIZE], got[DIGEST_SIZE] = "";
	int dir;

	cr_assert_eq(proc_open(getpid(), &dir), 0);
	cr_assert_eq(proc_link(dir, "exe", self, sizeof(self)), 0);
	sha256sum(self, want);
	cr_expect_eq(digest_running(dir, got), 0);
	cr_expect_str_eq(got, want);
	close(dir);
	*strrchr(self, '/') = '\0';
	for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		snprintf(file, sizeof(file), "%s/../%s", self, programs[i]);
		sha256sum(file, want);
		cr_expect_str_eq(digest_built(programs[i]), want, "%s", programs[i]);
	}
	cr_expect_str_eq(digest_built("bulkhead-evil"), "none");
	cr_expect(digest_running(-1, got) < 0 && got[0] == '\0');
}
