/* SPDX-License-Identifier: Apache-2.0
 *
 * What people are told of an obstacle: whole, harmless to a terminal, and nothing to run that somebody
 * else has named.
 *
 * links: tests/unit/nodes.c
 * links: helpers/host/address.c helpers/host/alias.c helpers/host/console.c helpers/host/disk.c
 * links: helpers/host/files.c helpers/host/network.c helpers/host/obstacle.c helpers/host/open.c
 * links: helpers/host/pci.c helpers/host/place.c helpers/host/take.c helpers/host/vdpa.c
 * links: helpers/host/way.c
 */
#include <criterion/criterion.h>

#include "tests/unit/tree.h"

#include "helpers/host/host.h"

#define NVME "0000:00:10.0"
#define DIR(bdf) "sys/devices/pci0000:00/" bdf

TestSuite(host_words, .init = tree_host, .fini = tree_remove);

static char said[700];

static struct verdict verdict_of(const char *bdf)
{
	struct host host = host_at(tree);
	struct verdict verdict;
	struct function f;
	struct err err = {0};

	cr_assert_eq(pci_read(tree, bdf, &f, &err), 0, "%s", err.msg);
	take_pci(&host, &f, TAKE_ALL, &verdict);
	host_close(&host);
	cr_assert_neq(verdict.n, 0);
	obstacle_refuse(&verdict.obstacles[0], f.name, -1, &err);
	snprintf(said, sizeof(said), "%s", err.msg);
	return verdict;
}

/* What somebody else has named does not get into a command. */
Test(host_words, commands_are_plain)
{
	struct verdict verdict;

	tree_function(NVME, "e1000e", 5);
	tree_file(DIR(NVME) "/net/a;reboot/flags", "0x1003\n");
	tree_link("sys/class/net/a;reboot", "../../devices/pci0000:00/" NVME "/net/a;reboot");
	verdict = verdict_of(NVME);
	cr_assert(verdict.n == 1 && verdict.obstacles[0].advice == ADVICE_NONE, "%s", said);
	tree_file(DIR(NVME) "/net/a;reboot/flags", "0x1002\n");
	tree_block(NVME, "nvme0n1", "259:0");
	tree_file("proc/self/mountinfo", "30 1 259:0 / /media/$(reboot) rw - vfat /dev/nvme0n1 rw\n");
	verdict = verdict_of(NVME);
	cr_assert(verdict.n == 1 && verdict.obstacles[0].advice == ADVICE_NONE, "%s", said);
}

/* A command is whole, or there is none. */
Test(host_words, long_commands)
{
	static const unsigned lengths[] = {100, 200, 293, 294, 480, 600};
	struct verdict verdict;
	char at[601], line[700];

	tree_function(NVME, "nvme", 5);
	tree_block(NVME, "nvme0n1", "259:0");
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		memset(at, 'x', sizeof(at));
		at[0] = '/', at[lengths[i]] = '\0';
		snprintf(line, sizeof(line), "30 1 259:0 / %s rw - ext4 /dev/nvme0n1 rw\n", at);
		tree_file("proc/self/mountinfo", line);
		verdict = verdict_of(NVME);
		cr_assert_eq(verdict.obstacles[0].advice == ADVICE_COMMAND, lengths[i] <= 293);
		snprintf(line, sizeof(line), "; `umount %s`", at);
		cr_assert_eq(strstr(said, line) != NULL, lengths[i] <= 293, "%s", said);
	}
}

/* The longest names there can be: nothing is cut, and nothing controls a terminal. */
Test(host_words, words_fit)
{
	struct obstacle o = {.advice = ADVICE_COMMAND};
	char long_name[400], what[300];
	struct err err;

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	snprintf(o.of, sizeof(o.of), "7fffffff:ff:1f.7");
	snprintf(o.next, sizeof(o.next), "bulkhead bind 7fffffff:ff:1f.7");
	for (enum obstacle_kind kind = 0; kind <= OBSTACLE_NO_RIGHT; kind++) {
		o.kind = kind;
		snprintf(o.thing, 64, "%.60s", long_name);
		snprintf(o.how, 64, "%.60s", long_name);
		obstacle_what(&o, "7fffffff:ff:1f.6", what, sizeof(what));
		cr_assert(what[0] && strlen(what) < sizeof(what) - 1, "%s", what);
		obstacle_keep(&o, "7fffffff:ff:1f.6", true, -1, &err);
		cr_assert(strstr(err.msg, "takes it all the same"), "%s", err.msg);
	}
	tree_function(NVME, "vfio-pci", 5);
	tree_vfio(NVME, 5, NULL);
	tree_opener(77, "a\033[2J\xc2\x9b" "b", "dev/vfio/5");
	verdict_of(NVME);
	cr_assert(strstr(said, "77 (a?[2J??b)"), "%s", said);
}
