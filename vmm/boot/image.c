/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the operator's files: by descriptor, by pread, checked on every read.
 *
 * Core process, main thread. The file can change while the guest runs and is read again at each
 * guest reset, so a size learnt once is only a first bound: a read that ends early is an error,
 * never a short buffer.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/boot/kernel.h"

int image_init(struct image *image, int fd, const char *want, struct err *err)
{
	struct stat st;

	/* Not fstat(3): that is newfstatat(2) in glibc 2.33-2.38, which takes paths. */
	if (syscall(SYS_fstat, fd, &st))
		return err_set(err, -errno, BLAME_HOST, "fstat: %s", strerror(errno));
	if (S_ISDIR(st.st_mode))
		return err_set(err, -EISDIR, BLAME_HOST, "is a directory; give %s", want);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, BLAME_HOST, "is not a regular file; give %s", want);
	if (st.st_size <= 0)
		return err_set(err, -ENODATA, BLAME_HOST, "is empty; give %s", want);
	*image = (struct image){.fd = fd, .size = (uint64_t)st.st_size};
	return 0;
}

int image_read(const struct image *image, uint64_t offset, void *buf, size_t len, struct err *err)
{
	uint8_t *to = buf;

	if (offset > image->size || len > image->size - offset)
		return err_set(err, -ENODATA, BLAME_HOST,
			"is truncated: it has %llu bytes and means %llu more at byte %llu" AGAIN,
			(unsigned long long)image->size, (unsigned long long)len,
			(unsigned long long)offset);
	while (len) {
		ssize_t n = pread(image->fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, -errno, BLAME_HOST, "reading it: %s", strerror(errno));
		if (!n)
			return err_set(err, -ENODATA, BLAME_HOST,
				"became shorter while it was read; leave it in place while the "
				"guest runs");
		to += n;
		offset += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int kernel_too_large(uint64_t end, uint64_t low_ram, struct err *err)
{
	uint64_t need = (end + 2 * MiB - 1) / (2 * MiB) * 2;

	if (end > LOW_RAM_MAX)
		return err_set(err, -E2BIG, BLAME_HOST,
			"needs RAM up to %llu MiB, and what boots must lie below 3 GiB; give a "
			"smaller kernel", (unsigned long long)need);
	return err_set(err, -E2BIG, BLAME_HOST,
		"needs %llu MiB of RAM to start, the guest has %llu MiB; give --memory size=%lluM "
		"or more", (unsigned long long)need, (unsigned long long)(low_ram / MiB),
		(unsigned long long)need);
}
