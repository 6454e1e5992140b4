/* SPDX-License-Identifier: Apache-2.0
 *
 * A serial port's file: appended to, and no larger than its limit, whoever writes it and whenever it
 * is truncated.
 *
 * links: vmm/platform/serial_out.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/platform/serial_out.h"

enum { LIMIT = 8192 };

static char path[] = "/tmp/bulkhead-serial-XXXXXX";
static struct serial_out out;
static char text[3 * LIMIT];

static void make(void)
{
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	close(fd);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	out = (struct serial_out){.fd = fd};
}

static void end(void)
{
	close(out.fd);
	unlink(path);
}

TestSuite(serial_out, .init = make, .fini = end, .timeout = 30);

static void print(const char *bytes, unsigned times)
{
	while (times--) {
		for (const char *c = bytes; *c; c++)
			serial_out_byte(&out, (uint8_t)*c);
	}
}

static size_t read_file(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	cr_assert_geq(n, 0);
	text[n] = '\0';
	close(fd);
	return (size_t)n;
}

Test(serial_out, no_limit)
{
	print("0123456789abcdef", 1024);
	cr_expect_eq(read_file(), 16384);
}

Test(serial_out, the_limit_holds_and_is_said_once)
{
	size_t len;
	char *mark;

	serial_out_limit(&out, LIMIT);
	print("0123456789abcdef", 1024);
	len = read_file();
	cr_expect(len <= LIMIT && len > LIMIT - 16, "%zu", len);
	mark = strstr(text, "\n[bulkhead: size= is reached");
	cr_assert(mark && text[len - 1] == '\n');
	cr_expect_null(strstr(mark + 2, "[bulkhead"), "said twice");
	usleep(1100000); /* and still not, when it looks again */
	print("more", 10);
	cr_expect_eq(read_file(), len);
}

/* copytruncate: no hole, and what is missing is said. */
Test(serial_out, goes_on_when_it_is_truncated)
{
	serial_out_limit(&out, LIMIT);
	print("0123456789abcdef", 1024);
	cr_assert_eq(truncate(path, 0), 0);
	usleep(1100000);
	print("again", 1);
	read_file();
	cr_expect(strncmp(text, "[bulkhead: ", 11) == 0, "%s", text);
	cr_expect(strstr(text, " bytes were dropped before this]\nagain"), "%s", text);
	print("0123456789abcdef", 1024);
	cr_expect(read_file() <= LIMIT && strstr(text, "size= is reached"));
}

/* Long before it was full, or by somebody else's bytes. */
Test(serial_out, counts_what_is_there)
{
	serial_out_limit(&out, LIMIT);
	print("0123456789abcdef", 500); /* 8000 */
	cr_assert_eq(truncate(path, 0), 0);
	print("0123456789abcdef", 500);
	cr_expect_eq(read_file(), 8000);
	cr_expect_null(strstr(text, "bulkhead"));
}

Test(serial_out, a_file_that_was_full_before)
{
	serial_out_limit(&out, LIMIT);
	print("0123456789abcdef", 1024);
	for (unsigned i = 0; i < 3; i++) { /* VM after VM */
		out = (struct serial_out){.fd = out.fd};
		serial_out_limit(&out, LIMIT);
		print("x", 100);
	}
	cr_expect(read_file() <= LIMIT);
	cr_expect_null(strchr(text, 'x'));
}
