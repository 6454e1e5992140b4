/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the loader (boot, image, bzimage, pvh, initramfs): files, and plans made from them.
 *
 * A plan is made from a file's own words, checked against the file's size and guest RAM, and kept
 * in this struct; loading goes by the plan and never looks at those words again. Messages say what
 * the file is ("is a directory; ..."): boot.c puts the option and name before them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "vmm/boot/boot.h"

struct image {
	int fd; /* borrowed */
	uint64_t size;
};

/* A regular file that is not empty. `want` ends the message: "give a ...". */
int image_init(struct image *image, int fd, const char *want, struct err *err);
/* All len bytes at offset, or an error: the file is shorter than it claims, or than it was. */
int image_read(const struct image *image, uint64_t offset, void *buf, size_t len, struct err *err);

#define AGAIN "; copy or build it again" /* the next step with a file that is not whole */

enum {
	KERNEL_HEAD = 4096,     /* bytes at the start of the file that a plan may look at */
	KERNEL_SEGMENTS = 16,
	SETUP_OFFSET = 0x1f1,   /* of the setup header, in the file and in boot_params */
	SETUP_END = 0x290,      /* boot_params has something else from here */
};

/* File bytes [offset, offset + filesz) to guest address addr, zeros from there to memsz. */
struct segment {
	uint64_t offset, filesz, addr, memsz;
};

struct kernel {
	struct image image;
	bool pvh;
	uint64_t end;          /* of the RAM it needs for itself */
	uint64_t initrd_limit; /* exclusive */
	unsigned cmdline_max;  /* characters */
	uint64_t entry;
	unsigned n_segments;
	struct segment segments[KERNEL_SEGMENTS];
	unsigned setup_len;    /* bzImage: the setup header as in the file */
	uint8_t setup[SETUP_END - SETUP_OFFSET];
};

struct initrd {
	uint64_t addr, size; /* size 0: none */
};

/* head: the first head_len bytes of the file; low_ram: RAM from 0 on. *kernel comes zeroed but for
 * image. */
int bzimage_plan(struct kernel *kernel, const uint8_t *head, size_t head_len, uint64_t low_ram,
	struct err *err);
int pvh_plan(struct kernel *kernel, const uint8_t *head, size_t head_len, uint64_t low_ram,
	struct err *err);

/* What the kernel reads first, at BOOT_PARAMS: the zero page, or hvm_start_info. */
void bzimage_write_params(const struct kernel *kernel, const struct layout *layout,
	const struct initrd *initrd, void *page);
void pvh_write_params(const struct layout *layout, const struct initrd *initrd, void *page);

/* "needs N MiB of RAM, the guest has M": for both kinds. */
int kernel_too_large(uint64_t end, uint64_t low_ram, struct err *err);

/* Is this what a kernel takes for an initramfs, and all of it? */
int initramfs_check(const struct image *image, struct err *err);
