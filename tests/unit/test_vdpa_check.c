/* SPDX-License-Identifier: Apache-2.0
 *
 * What the broker says of a node that is none.
 *
 * links: helpers/broker/vdpa.c helpers/broker/nodes.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "helpers/broker/broker.h"

static struct broker broker;
static struct err err;

static void refused(const char *path, int code, const char *why)
{
	struct device *device = &broker.devices[0];

	*device = (struct device){.kind = "vdpa", .id = "x", .path = path, .node = {-1}};
	cr_assert_eq(vdpa_check(&broker, device, &err), code, "%s", err.msg);
	cr_assert(strstr(err.msg, why) && strstr(err.msg, path), "%s", err.msg);
	cr_assert_eq(err.blame, BLAME_HOST);
	cr_assert_lt(device->node.n, 0);
}

Test(vdpa_check, missing)
{
	refused("/dev/vhost-vdpa-4711", -ENOENT, "there is no such device");
}

Test(vdpa_check, other_things)
{
	refused("/dev/null", -EINVAL, "is not a vhost-vdpa device;");
	refused("/proc/self/exe", -EINVAL, "it is no character device");
	refused("/", -EINVAL, "it is no character device");
	refused("/dev/null/x", -ENOTDIR, "Not a directory");
}
