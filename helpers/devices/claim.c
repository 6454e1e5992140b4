/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's own answer to who uses a disk, open(2): O_EXCL on a block device fails with EBUSY
 * while a file system, swap, a volume or another exclusive opener has it. bulkhead-devices.
 *
 * And it works both ways: while we have it open so, nobody can mount it. A whole disk stands for its
 * partitions (bd_may_claim). Held from before a disk's driver is taken away until after, so that no
 * mount that comes after the check finds its disk gone. It keeps no driver from going.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "helpers/devices/devices.h"

static int open_claim(int root, const char *node)
{
	return openat(root, node, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
}

bool claim_refused(const struct host *host, const char *node)
{
	fd_owned fd = {open_claim(host->root, node)};

	return fd.n < 0 && errno == EBUSY;
}

struct taking {
	int root;
	struct claims *claims;
	const struct function *f;
	struct err *err;
	int r;
};

/* A disk that cannot be opened at all (no medium, no node) cannot be mounted either. */
static bool take_one(void *arg, const char *disk, const char *number)
{
	struct taking *taking = arg;
	struct claims *claims = taking->claims;
	char node[160];
	int fd;

	if (claims->n == CLAIMS_MAX) {
		taking->r = err_set(taking->err, -E2BIG, BLAME_HOST,
			"%s has more than %d disks; bind fewer devices at once", taking->f->name,
			CLAIMS_MAX);
		return true;
	}
	node_name(taking->root, true, number, node, sizeof(node));
	fd = open_claim(taking->root, node + strspn(node, "/"));
	if (fd >= 0)
		claims->fds[claims->n++].n = fd;
	else if (errno == EBUSY)
		taking->r = err_set(taking->err, -EBUSY, BLAME_HOST,
			"%s stays with the host: its disk %s has just been put to use; look again",
			taking->f->name, disk);
	return taking->r < 0;
}

int claims_take(struct claims *claims, int root, const struct function *f, struct err *err)
{
	struct taking taking = {root, claims, f, err, 0};

	pci_each_disk(root, f, take_one, &taking);
	return taking.r;
}

void claims_drop(struct claims *claims)
{
	while (claims->n)
		fd_close(&claims->fds[--claims->n]);
}
