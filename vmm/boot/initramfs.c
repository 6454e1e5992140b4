/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks at an initramfs the way the guest's kernel will (Linux init/initramfs.c, Documentation/
 * driver-api/early-userspace/buffer-format.rst): entries of cpio archives, zeros between them, and
 * compressed parts. A trailer is an entry like the others: it may be missing, and anything may
 * follow it.
 *
 * Core process, main thread. Linux takes what is left of a truncated entry without a word, so they
 * are walked here. What is compressed is only recognised, and where it ends nobody can say who does
 * not unpack it: the kernel's own decompressor reports damage in it, and in what follows.
 */
#include <errno.h>
#include <string.h>

#include "vmm/boot/kernel.h"

enum {
	CPIO_HEADER = 110, /* magic and 13 numbers of 8 hexadecimal digits */
	CPIO_FILESIZE = 54,
	CPIO_NAMESIZE = 94,
	CPIO_ALIGN = 4,
	ZEROS_CHUNK = 4096,
};

static const struct {
	const char *bytes;
	unsigned len;
} compressed[] = {
	{"\x1f\x8b", 2},                 /* gzip */
	{"\x1f\x9e", 2},                 /* gzip, old */
	{"BZh", 3},                      /* bzip2 */
	{"\x5d\x00", 2},                 /* lzma */
	{"\xfd" "7zXZ", 5},              /* xz */
	{"\x89LZO", 4},                  /* lzo */
	{"\x02\x21\x4c\x18", 4},         /* lz4 */
	{"\x28\xb5\x2f\xfd", 4},         /* zstd */
};

static bool is_compressed(const uint8_t *magic, size_t len)
{
	for (size_t i = 0; i < sizeof(compressed) / sizeof(compressed[0]); i++)
		if (len >= compressed[i].len &&
			!memcmp(magic, compressed[i].bytes, compressed[i].len))
			return true;
	return false;
}

static int damaged(uint64_t at, struct err *err)
{
	return err_set(err, -ENOEXEC, BLAME_HOST,
		"is truncated or damaged: no cpio entry at byte %llu" AGAIN,
		(unsigned long long)at);
}

/* Eight hexadecimal digits, as newc has its numbers. */
static bool parse_hex(const uint8_t *digits, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 8; i++) {
		uint8_t digit = digits[i];

		if (digit >= '0' && digit <= '9')
			value = value << 4 | (digit - '0');
		else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f')
			value = value << 4 | ((digit | 0x20) - 'a' + 10);
		else
			return false;
	}
	*ret = value;
	return true;
}

static uint64_t align_up(uint64_t at)
{
	return (at + CPIO_ALIGN - 1) & ~(uint64_t)(CPIO_ALIGN - 1);
}

/* One entry from *at, which moves to the next one's place, or to the end of the file: the padding
 * behind the last entry may be missing. */
static int walk_entry(const struct image *image, uint64_t *at, struct err *err)
{
	uint64_t name_size, file_size, end;
	uint8_t header[CPIO_HEADER], last;
	int code = image_read(image, *at, header, sizeof(header), err);

	if (code)
		return code;
	if ((memcmp(header, "070701", 6) != 0 && memcmp(header, "070702", 6) != 0) ||
		!parse_hex(header + CPIO_NAMESIZE, &name_size) ||
		!parse_hex(header + CPIO_FILESIZE, &file_size) || !name_size)
		return damaged(*at, err);
	end = *at + CPIO_HEADER + name_size;
	code = image_read(image, end - 1, &last, 1, err);
	if (code)
		return code;
	if (last != '\0')
		return damaged(*at, err);
	if (file_size) {
		end = align_up(end) + file_size;
		code = image_read(image, end - 1, &last, 1, err);
	}
	end = align_up(end);
	*at = end < image->size ? end : image->size;
	return code;
}

/* Moves *at to the next byte that is not zero, or to the end. */
static int skip_zeros(const struct image *image, uint64_t *at, struct err *err)
{
	uint8_t chunk[ZEROS_CHUNK];

	while (*at < image->size) {
		size_t len = image->size - *at < sizeof(chunk) ? image->size - *at : sizeof(chunk);
		int code = image_read(image, *at, chunk, len, err);

		if (code)
			return code;
		for (size_t i = 0; i < len; i++, (*at)++)
			if (chunk[i])
				return 0;
	}
	return 0;
}

int initramfs_check(const struct image *image, struct err *err)
{
	uint64_t at = 0, entries = 0;
	int code;

	while (!(code = skip_zeros(image, &at, err)) && at < image->size) {
		uint8_t magic[6];
		size_t len = image->size - at < sizeof(magic) ? image->size - at : sizeof(magic);

		code = image_read(image, at, magic, len, err);
		if (code)
			return code;
		/* Behind an entry nothing else is looked for (do_reset: "broken padding"). */
		if (at % CPIO_ALIGN && entries)
			break;
		if (is_compressed(magic, len))
			return 0;
		if (at % CPIO_ALIGN || magic[0] != '0')
			break;
		code = walk_entry(image, &at, err);
		if (code)
			return code;
		entries++;
	}
	if (code || (entries && at >= image->size))
		return code;
	return err_set(err, -ENOEXEC, BLAME_HOST,
		"is no initramfs: byte %llu begins neither a cpio archive nor compressed data; "
		"give what mkinitramfs, dracut or cpio -H newc made", (unsigned long long)at);
}
