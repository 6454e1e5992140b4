/* SPDX-License-Identifier: Apache-2.0
 *
 * links: helpers/opts/opts.c helpers/opts/opts_api.c helpers/opts/opts_device.c helpers/opts/opts_machine.c helpers/opts/opts_value.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "helpers/opts/opts.h"

static struct opts opts;
static struct err err;

/* One string, cut at spaces. */
static int parse(const char *line)
{
	static char text[8192];
	static char *argv[64];
	int argc = 0;

	snprintf(text, sizeof(text), "bulkhead %s", line);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	memset(&opts, 0xee, sizeof(opts));
	err = (struct err){0};
	return opts_parse(argc, argv, &opts, &err);
}

Test(opts, defaults)
{
	cr_assert(parse("--kernel k") == 0, "%s", err.msg);
	cr_expect(strcmp(opts.kernel, "k") == 0 && !opts.initramfs && !opts.cmdline);
	cr_expect(opts.cpus.boot == 1 && opts.cpus.max == 1 && opts.ram.size == 512 * MiB && !opts.ram.hugepages);
	cr_expect(opts.ram.hugepage_size == 2 * MiB && !opts.ram.prefault);
	cr_expect(opts.serial == CONSOLE_TTY && opts.seccomp == SECCOMP_MODE_KILL);
	cr_expect(opts.n_devices == 0 && opts.verbose == 0 && !opts.log_file);
	cr_expect(!opts.user && !opts.allow_degraded);
	cr_expect_eq(opts.iommufd, IOMMUFD_AUTO);
}

Test(opts, everything)
{
	cr_assert(parse("--kernel=k --initramfs i --cmdline=console=ttyS0,115200 "
		"--cpus boot=4,max=4 --memory size=5G,hugepages=on,hugepage_size=1G,prefault=on "
		"--serial file=/a,b --console off --platform iommufd=on --seccomp log "
		"--log-file l --user vm1 --allow-degraded -v -vv --null --null id=n") == 0, "%s", err.msg);
	cr_expect(strcmp(opts.cmdline, "console=ttyS0,115200") == 0);
	cr_expect(strcmp(opts.user, "vm1") == 0 && opts.allow_degraded);
	cr_expect(opts.cpus.boot == 4 && opts.cpus.cores == 4 && opts.ram.size == 5 * GiB && opts.ram.hugepages);
	cr_expect(opts.ram.hugepage_size == GiB && opts.ram.prefault);
	cr_expect(opts.serial == CONSOLE_FILE && strcmp(opts.serial_path, "/a,b") == 0);
	cr_expect(opts.seccomp == SECCOMP_MODE_LOG && opts.verbose == 3);
	cr_expect_eq(opts.iommufd, IOMMUFD_ON);
	cr_expect(opts.n_devices == 2 && opts.devices[0].kind == KIND_NULL);
	cr_expect(strcmp(opts.devices[1].id, "n") == 0 && !opts.devices[1].path);
}

Test(opts, serial_file)
{
	cr_assert(parse("--kernel k --serial file=/a,b,size=1M") == 0, "%s", err.msg);
	cr_expect_str_eq(opts.serial_path, "/a,b");
	cr_expect_eq(opts.serial_limit, MiB);
	cr_assert(parse("--kernel k --serial file=/a,size") == 0, "%s", err.msg);
	cr_expect_str_eq(opts.serial_path, "/a,size");
	cr_expect_eq(opts.serial_limit, 0);
}

Test(opts, memory_of_a_node)
{
	cr_assert(parse("--kernel k --memory size=1G,host_numa_node=0") == 0, "%s", err.msg);
	cr_expect(opts.ram.on_node && opts.ram.node == 0);
	cr_assert(parse("--kernel k --memory size=1G") == 0 && !opts.ram.on_node);
}

Test(opts, cpus)
{
	const struct cpus want = {2, 24, 2, 3, 2, 2};

	cr_assert(parse("--kernel k --cpus boot=2,max=24,topology=2:3:2:2") == 0, "%s", err.msg);
	cr_expect(memcmp(&opts.cpus, &want, sizeof(want)) == 0);
	cr_assert(parse("--kernel k --cpus boot=1,max=64") == 0, "%s", err.msg);
	cr_expect(opts.cpus.boot == 1 && opts.cpus.max == 64 && opts.cpus.cores == 64);
	cr_assert(parse("--kernel k --cpus boot=1024") == 0, "%s", err.msg);
}

Test(opts, vdpa)
{
	cr_assert(parse("--kernel k --vdpa path=/dev/vhost-vdpa-0,num_queues=3,id=n "
			"path=/dev/vhost-vdpa-1 --device path=/a") == 0, "%s", err.msg);
	cr_assert(opts.n_devices == 3);
	cr_expect(opts.devices[0].kind == KIND_VDPA && opts.devices[0].num_queues == 3);
	cr_expect(strcmp(opts.devices[0].path, "/dev/vhost-vdpa-0") == 0);
	cr_expect(strcmp(opts.devices[1].id, "vdpa1") == 0 && opts.devices[1].num_queues == 0);
	cr_expect(opts.devices[2].kind == KIND_VFIO);
}

Test(opts, several_devices_a_flag)
{
	cr_assert(parse("--device path=/a path=/b,id=b,x_p2p=on --kernel k --device path=/c,x_p2p=off") == 0,
		"%s", err.msg);
	cr_assert(opts.n_devices == 3);
	cr_expect(!opts.devices[0].p2p && opts.devices[1].p2p && !opts.devices[2].p2p);
	cr_expect(strcmp(opts.devices[0].path, "/a") == 0);
	cr_expect(strcmp(opts.devices[0].id, "vfio0") == 0);
	cr_expect(strcmp(opts.devices[1].id, "b") == 0);
	cr_expect(strcmp(opts.devices[2].path, "/c") == 0);
	cr_expect(opts.devices[2].kind == KIND_VFIO);
}

Test(opts, sizes)
{
	static const struct {
		const char *text;
		uint64_t size;
	} good[] = {{"16777216", 16 * MiB}, {"16384K", 16 * MiB}, {"64M", 64 * MiB},
		{"1T", 1024 * GiB}};
	char line[64];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(line, sizeof(line), "--kernel k --memory size=%s", good[i].text);
		cr_expect(parse(line) == 0 && opts.ram.size == good[i].size, "%s", good[i].text);
	}
}

Test(opts, help_and_version_need_no_kernel)
{
	cr_expect(parse("--help") == 0 && opts.help);
	cr_expect(parse("-h") == 0 && opts.help);
	cr_expect(parse("-V") == 0 && opts.version);
	cr_expect(parse("--version") == 0 && opts.version);
}

Test(opts, refusals_name_the_option)
{
	static const struct {
		const char *line, *says, *also;
	} bad[] = {
		{"", "--kernel is missing", "bzImage"},
		{"--kernel", "--kernel", "missing"},
		{"--kernel --cpus boot=1", "--kernel", "missing"},
		{"--kernel a --kernel b", "--kernel", "twice"},
		{"--kernl a", "--kernl", "--help"},
		{"stray", "stray", "--help"},
		{"--kernel k -x", "-x", "no option"},
		{"--kernel k -v=1", "-v", "no value"},
		{"--kernel k --cpus boot=0", "--cpus boot", "1 to 1024"},
		{"--kernel k --cpus boot=1025", "--cpus boot", "1 to 1024"},
		{"--kernel k --cpus boot=-1", "--cpus boot", "-1"},
		{"--kernel k --cpus boot=2x", "--cpus boot", "2x"},
		{"--kernel k --cpus boot=99999999999999999999", "--cpus boot", "1 to 1024"},
		{"--kernel k --cpus boot=4,max=2", "--cpus", "max=4"},
		{"--kernel k --cpus boot=2,max=1025", "--cpus max", "1 to 1024"},
		{"--kernel k --cpus boot=8,topology=2:2:2", "--cpus topology", "four numbers"},
		{"--kernel k --cpus boot=8,topology=2:2:2:0", "--cpus topology", "four numbers"},
		{"--kernel k --cpus boot=8,topology=2:2:2:1:1", "--cpus topology", "not more"},
		{"--kernel k --cpus boot=8,topology=2::2:1", "--cpus topology", "four numbers"},
		{"--kernel k --cpus boot=8,topology=2:2:2:99999999999999", "--cpus topology", "four"},
		{"--kernel k --cpus boot=8,topology=1024:1024:1024:1024", "--cpus topology", "the same"},
		{"--kernel k --cpus boot=8,max=16,topology=2:2:2:1", "--cpus topology", "are 8 vCPUs"},
		{"--kernel k --cpus max=4", "--cpus", "boot= is missing"},
		{"--kernel k --cpus 4", "--cpus", "boot="},
		{"--kernel k --cpus boot=1,boot=1", "--cpus", "twice"},
		{"--kernel k --cpus boot=1,", "--cpus", "no key"},
		{"--kernel k --cpus boot=", "--cpus", "no value"},
		{"--kernel k --cpus boot", "--cpus", "no value"},
		{"--kernel k --cpus boot=1,affinity=3", "affinity", "boot=, max=, topology="},
		{"--kernel k --memory size=0", "--memory size", "512M"},
		{"--kernel k --memory size=0G", "--memory size", "512M"},
		{"--kernel k --memory size=-1", "--memory size", "-1"},
		{"--kernel k --memory size=1X", "--memory size", "1X"},
		{"--kernel k --memory size=1MM", "--memory size", "1MM"},
		{"--kernel k --memory size=M", "--memory size", "no size"},
		{"--kernel k --memory size=99999999999T", "--memory size", "no size"},
		{"--kernel k --memory 512M", "--memory", "size="},
		{"--kernel k --memory size=1G,hugepages=maybe", "--memory hugepages", "maybe"},
		{"--kernel k --memory size=1G,hugepages=on,hugepage_size=4K", "hugepage_size", "2M"},
		{"--kernel k --memory size=1G,hugepage_size=2M", "hugepage_size", "hugepages=on"},
		{"--kernel k --memory size=1G,host_numa_node=-1", "host_numa_node", "from 0 to 1023"},
		{"--kernel k --memory size=1G,host_numa_node=1024", "host_numa_node", "from 0 to 1023"},
		{"--kernel k --serial file=", "--serial", "tty, file=PATH[,size=N], null, off"},
		{"--kernel k --serial file=/a,size=1K", "--serial size", "4K or more"},
		{"--kernel k --serial file=/a,size=x", "--serial size", "no size"},
		{"--kernel k --serial file=,size=1M", "--serial file=", "missing"},
		{"--kernel k --serial socket=/x", "--serial", "tty, file=PATH[,size=N], null, off"},
		{"--kernel k --console tty", "--console", "--console off"},
		{"--kernel k --platform iommufd=perhaps", "--platform iommufd", "auto, on, off"},
		{"--kernel k --seccomp no", "--seccomp", "true, log, false"},
		{"--kernel k --device", "--device", "missing"},
		{"--kernel k --device id=x", "--device", "path= is missing"},
		{"--kernel k --device path=/a,id=a/b", "id", "a/b"},
		{"--kernel k --device path=/a,x_exclude_mmap_bars=6", "x_exclude_mmap_bars", "0 to 5"},
		{"--kernel k --device path=/a,x_exclude_mmap_bars=[]", "x_exclude_mmap_bars", "no list"},
		{"--kernel k --device path=/a,x_exclude_mmap_bars=[3-2]", "x_exclude_mmap_bars", "no list"},
		{"--kernel k --device path=/a,x_exclude_mmap_bars=[1", "x_exclude_mmap_bars", "no list"},
		{"--kernel k --device path=/a,x_exclude_mmap_bars=1]", "x_exclude_mmap_bars", "no list"},
		{"--kernel k --device path=/a,x_exclude_mmap_bars=[-1]", "x_exclude_mmap_bars", "no list"},
		{"--kernel k --device path=/a,x_exclude_mmap_bars=[1,]", "x_exclude_mmap_bars", "no list"},
		{"--kernel k --device path=/a,x_exclude_mmap_bars=[1,2", "x_exclude_mmap_bars", "«[1,2» is no list"},
		{"--kernel k --device path=/a,pci_device_id=0", "pci_device_id", "from 1 to 31"},
		{"--kernel k --device path=/a,pci_device_id=32", "pci_device_id", "from 1 to 31"},
		{"--kernel k --vdpa path=/a,pci_device_id=5,pci_function=8", "pci_function", "from 1 to 7"},
		{"--kernel k --device path=/a,pci_function=1", "pci_function", "pci_device_id="},
		{"--kernel k --device path=/a,pci_device_id=5 --null pci_device_id=5", "vfio0", "null1"},
		{"--kernel k --null pci_device_id=5,pci_function=1 --null", "null0", "no function 0"},
		{"--kernel k --device path=/a,id=x path=/b,id=x", "id=x", "two devices"},
		{"--kernel k --device path=/a,x_p2p=yes", "x_p2p", "yes"},
		{"--kernel k --device path=/a,vf_token=", "vf_token=", "no value"},
		{"--kernel k --device path=/a,vf_token=no-uuid", "--device vf_token", "xxxxxxxx-xxxx-"},
		{"--kernel k --vdpa path=/a,vf_token=x", "--vdpa", "no key"},
		{"--kernel k --vdpa num_queues=2", "--vdpa", "path= is missing"},
		{"--kernel k --vdpa path=/a,num_queues=0", "num_queues", "from 1 to 65535"},
		{"--kernel k --vdpa path=/a,num_queues=-1", "num_queues", "from 1 to 65535"},
		{"--kernel k --vdpa path=/a,iommu=on", "--vdpa", "no key"},
		{"--kernel k --device /sys/bus/pci/devices/x", "--device", "path="},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect(parse(bad[i].line) == -EINVAL, "«%s» is taken", bad[i].line);
		cr_expect(strstr(err.msg, bad[i].says) && strstr(err.msg, bad[i].also),
			"«%s» says «%s»", bad[i].line, err.msg);
		cr_expect(!strchr(err.msg, '\n') && err.blame == BLAME_HOST);
	}
}

Test(opts, lists)
{
	cr_assert(parse("--kernel k --device x_exclude_mmap_bars=[0,2-4],path=/a "
		"path=/b,x_exclude_mmap_bars=5 path=/[c]") == 0, "%s", err.msg);
	cr_expect_eq(opts.devices[0].trapped, 1u << 0 | 1u << 2 | 1u << 3 | 1u << 4);
	cr_expect_eq(opts.devices[1].trapped, 1u << 5);
	cr_expect_eq(opts.devices[2].trapped, 0);
	cr_expect_str_eq(opts.devices[2].path, "/[c]");
	/* A bracket in a path begins no list. */
	cr_assert(parse("--kernel k --device path=/a[b,x_exclude_mmap_bars=[1,2],rom=off") == 0, "%s",
		err.msg);
	cr_expect_str_eq(opts.devices[0].path, "/a[b");
	cr_expect_eq(opts.devices[0].trapped, 1u << 1 | 1u << 2);
}

#define UUID "0123abCD-c335-45f4-9b16-8569e5b08258"

/* Read, and unreadable then to whoever lists this host's processes. */
Test(opts, vf_token)
{
	static const uint8_t uuid[16] = {0x01, 0x23, 0xab, 0xcd, 0xc3, 0x35, 0x45, 0xf4, 0x9b, 0x16,
		0x85, 0x69, 0xe5, 0xb0, 0x82, 0x58};
	static char words[][80] = {"bulkhead", "--kernel=k", "--device", "vf_token=" UUID ",path=/a",
		"path=/b", "--device=path=/c,vf_token=" UUID};
	char *argv[] = {words[0], words[1], words[2], words[3], words[4], words[5], NULL};

	cr_assert_eq(opts_parse(6, argv, &opts, &err), 0, "%s", err.msg);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(opts.devices[i].token.given, i != 1);
	cr_expect_arr_eq(opts.devices[0].token.uuid, uuid, 16);
	cr_expect_arr_eq(opts.devices[2].token.uuid, uuid, 16);
	cr_expect_str_eq(opts.devices[0].path, "/a");
	cr_expect_str_eq(words[3], "vf_token=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx,path=/a");
	cr_expect_str_eq(words[5], "--device=path=/c,vf_token=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

Test(opts, what_is_no_vf_token_is_refused_and_not_told)
{
	static const char *const lines[] = {
		"--device path=/a,vf_token=0123abcd-c335-45f4-9b16-8569e5b0825",
		"--device path=/a,vf_token=0123abcd-c335-45f4-9b16-8569e5b082588",
		"--device path=/a,vf_token=0123abcd-c335-45f4-9b16-8569e5b0825g",
		"--device path=/a,vf_token=0123abcd-c335-45f4-9b1608569e5b08258",
		"--device path=/a,vf_token=0123abcd0c335-45f4-9b16-8569e5b08258",
		"--device path=/a,vf_token=0123abcdc33545f49b168569e5b08258",
		"--device path=/a,vf_token={0123abcd-c335-45f4-9b16-8569e5b08258}",
		"--device path=/a,vf_token=0123abcd-c335-45f4-9b16-8569e5b08258,vf_token=0123",
		"--device path=/a,vf_tokn=0123abcd-c335-45f4-9b16-8569e5b08258",
		"--devcie=path=/a,vf_token=0123abcd-c335-45f4-9b16-8569e5b08258",
		"path=/a,vf_token=0123abcd-c335-45f4-9b16-8569e5b08258",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char line[160];

		snprintf(line, sizeof(line), "--kernel=k %s", lines[i]);
		cr_expect_eq(parse(line), -EINVAL, "«%s» is taken", line);
		cr_expect_null(strstr(err.msg, "0123"), "%s", err.msg);
	}
}

/* The order in which they are given does not matter. */
Test(opts, places)
{
	cr_assert(parse("--kernel k --null --device path=/a,pci_device_id=5,pci_function=7 "
		"path=/b,pci_device_id=5,pci_function=0 --vdpa path=/c,pci_device_id=31") == 0, "%s",
		err.msg);
	cr_expect_eq(opts.devices[0].devfn, 0);
	cr_expect_eq(opts.devices[1].devfn, 5 * 8 + 7);
	cr_expect_eq(opts.devices[2].devfn, 5 * 8);
	cr_expect_eq(opts.devices[3].devfn, 31 * 8);
}

Test(opts, too_many_devices)
{
	char line[1024] = "--kernel k";

	for (unsigned i = 0; i <= VM_SLOTS; i++)
		strcat(line, " --null");
	cr_expect(parse(line) == -EINVAL && strstr(err.msg, "30"), "%s", err.msg);
}

Test(opts, long_values)
{
	static char line[8192];
	size_t at = (size_t)snprintf(line, sizeof(line), "--kernel k --device path=");

	memset(line + at, 'a', 5000);
	cr_expect(parse(line) == -EINVAL && strstr(err.msg, "too long"));
}
