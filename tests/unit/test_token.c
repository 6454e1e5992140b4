/* SPDX-License-Identifier: Apache-2.0
 *
 * A VF token: on the wire, in the name the kernel is asked for (linux/vfio.h, VFIO_GROUP_GET_DEVICE_FD),
 * and in no message. ioctl(2) is a double.
 *
 * links: helpers/vfio/open.c helpers/retry.c
 */
#include <errno.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>

#include "helpers/vfio/vfio.h"
#include "tests/unit/trace.h"

#define NAME "0000:02:10.0"
#define UUID "0123ab4d-c335-45f4-9b16-8569e5b08258"

enum { GROUP = 1000, DEVICE = 1001 };

static const struct vf_token token = {.given = true, .uuid = {0x01, 0x23, 0xab, 0x4d, 0xc3, 0x35, 0x45,
	0xf4, 0x9b, 0x16, 0x85, 0x69, 0xe5, 0xb0, 0x82, 0x58}};
static struct err err;
static int fails; /* what VFIO_GROUP_GET_DEVICE_FD fails with */

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;

	cr_assert(fd == GROUP && request == VFIO_GROUP_GET_DEVICE_FD);
	va_start(ap, request);
	traced("%s", va_arg(ap, const char *));
	va_end(ap);
	errno = fails;
	return fails ? -1 : DEVICE;
}

static int open_with(const struct vf_token *with)
{
	struct helper_open open = {.name = NAME, .device = {GROUP}, .memfd = FD_NONE_INIT};
	struct fd device = FD_NONE_INIT;
	int r;

	if (with)
		open.token = *with;
	r = open_device(&open, &device, &err);
	cr_expect_eq(device.n, r == 0 ? DEVICE : -1);
	return r;
}

Test(token, name)
{
	cr_expect_eq(open_with(NULL), 0);
	expect(NAME);
	cr_expect_eq(open_with(&token), 0);
	expect(NAME " vf_token=" UUID);
}

Test(token, a_name_too_long_leaves_room)
{
	char name[300];
	struct helper_open open = {.name = name, .device = {GROUP}, .token = token};
	struct fd device = FD_NONE_INIT;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	cr_assert_eq(open_device(&open, &device, &err), 0);
	cr_expect_str_eq(trace + 63, " vf_token=" UUID);
}

/* What is wrong, what to do, and nothing of the secret. */
Test(token, refusals)
{
	static const struct {
		const struct vf_token *with;
		int fails;
		const char *says, *also;
	} cases[] = {
		{NULL, EACCES, NAME " opens only with its VF token", "give --device vf_token=UUID"},
		{&token, EACCES, NAME ": its physical function has another VF token", "give the one"},
		{&token, EINVAL, NAME " has no VF token", "leave vf_token= out"},
		{NULL, EINVAL, NAME ": VFIO_GROUP_GET_DEVICE_FD: ", "Invalid"},
		{&token, EBUSY, NAME " is in use", "another process"},
		{&token, ENODEV, NAME ": VFIO_GROUP_GET_DEVICE_FD: ", "No such device"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fails = cases[i].fails;
		cr_expect_eq(open_with(cases[i].with), -fails);
		cr_expect(strstr(err.msg, cases[i].says) == err.msg && strstr(err.msg, cases[i].also),
			"%zu: %s", i, err.msg);
		cr_expect_null(strstr(err.msg, "0123"), "%s", err.msg);
	}
}

Test(token, wire)
{
	struct vf_token in = token, none = {0}, out = {0};
	ProtobufCBinaryData wire = token_to_wire(&in);

	cr_assert_eq(token_from_wire(&wire, &out, &err), 0);
	cr_expect(out.given && memcmp(out.uuid, token.uuid, sizeof(out.uuid)) == 0);
	for (wire.len = 1; wire.len < 16; wire.len++)
		cr_expect_eq(token_from_wire(&wire, &out, &err), -EBADMSG);
	wire.len = 17;
	cr_expect_eq(token_from_wire(&wire, &out, &err), -EBADMSG);
	cr_expect_not_null(strstr(err.msg, "17 bytes"));
	cr_expect(out.given, "nothing is taken of what is refused");
	wire = token_to_wire(&none);
	cr_assert_eq(token_from_wire(&wire, &out, &err), 0);
	cr_expect_not(out.given);
}
