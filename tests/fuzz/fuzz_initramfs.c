/* SPDX-License-Identifier: Apache-2.0
 *
 * An initramfs: what looks like one, and the walk through its cpio archives.
 *
 * fuzzes: vmm/boot/initramfs.c
 * links: vmm/boot/initramfs.c vmm/boot/image.c
 * max_len: 256
 */
#include "tests/fuzz/fuzz.h"

#include <unistd.h>

#include "vmm/boot/kernel.h"

static struct input file;

/* A file may be shorter than it was when its size was asked for. */
ssize_t pread(int fd, void *buf, size_t len, off_t offset)
{
	size_t size = (size_t)(file.end - file.at), n;

	(void)fd;
	if ((size_t)offset >= size)
		return 0;
	n = len < size - (size_t)offset ? len : size - (size_t)offset;
	memcpy(buf, file.at + offset, n);
	return (ssize_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = input_of(data, size);
	struct image image = {.fd = -1};
	uint64_t missing = take_number(&in);
	struct err err = {0};
	int r;

	file = in;
	image.size = (uint64_t)(in.end - in.at) + (missing < 4096 ? missing : 0);
	r = initramfs_check(&image, &err);
	require(r == 0 || (r == err.code && strchr(err.msg, ';')));
	return 0;
}
