/* SPDX-License-Identifier: Apache-2.0
 *
 * The page a test VM's processes share with the harness outside: what to try, and what came of it.
 *
 * A confined process can tell nobody anything, so the page is mapped before its walls go up
 * (payload.c) from a file beside its binary. The harness writes all but the results before `go`;
 * one thread, the actor, writes the results. Only test builds have it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Who attempts. Bits: an attempt names all it is made by. */
enum who {
	WHO_VCPU = 1, WHO_CORE = 2, WHO_BROKER = 4, WHO_NULL = 8, WHO_VFIO = 16, WHO_VDPA = 32,
	WHO_LAUNCHER = 64, WHO_API = 128, WHO_OPENER = 256, /* behind its walls */
	WHO_STARTER = 512, /* whoever starts bulkhead: the harness itself */
	WHO_VMM = WHO_VCPU | WHO_CORE,
	WHO_HELPER = WHO_NULL | WHO_VFIO | WHO_VDPA,
	WHO_ALL = WHO_VMM | WHO_BROKER | WHO_HELPER | WHO_API,
	WHO_OPERATED = WHO_API | WHO_OPENER,
	WHO_BITS = 10,
};

/* What may stop an attempt. The first of them can be taken away in a test VM, each by itself
 * (walls.c); the others cannot: they are what the process has not, or how a channel is read. */
enum wall {
	WALL_NONE,
	WALL_SECCOMP, WALL_USERNS, WALL_PIDNS, WALL_NETNS, WALL_ROOT, WALL_CAPS, WALL_NOFILE,
	WALL_FSIZE, WALL_DUMPABLE, WALL_LANDLOCK, WALL_SCOPES, WALL_MDWE, WALL_RULES,
	WALL_DESCRIBE, WALL_BUDGET, WALL_MSEAL, WALL_PASSRIGHTS, WALL_CGROUP,
	WALL_LANDLOCK_UNIX, /* sockets by path: a later Landlock's; goes with all of it */
	WALLS_REMOVABLE,
	WALL_FDS = WALLS_REMOVABLE, WALL_FRAME, WALL_DECODE, WALL_NUMBER, WALL_DEADLINE, WALL_MAP,
	WALL_KERNEL, WALL_INPUT, WALL_WORDS,
	WALLS,
};

/* What came of an attempt: 0 or more, it got through; a negative errno; or one of these. */
enum {
	THROUGH = 0,
	KILLED = -10000,   /* minus the signal */
	CUT_OFF = -20000,  /* minus the wall: the core ended the liar, and said why */
	REFUSED = -21000,  /* minus the wall: the VM did not start, and said why */
	DROPPED = -22000,  /* most of what was sent was thrown away */
	UNTRIED = -30000, TRYING = -30001,
};

enum { PAGE_BYTES = 16384, TODO_MAX = 256, PATH_BYTES = 128, HANDLE_BYTES = 128,
	NAME_BYTES = 32 };

struct todo {
	int attempt; /* index in attempts[] */
	int result;
	int call;    /* the system call it was at: what seccomp killed it for */
};

struct page {
	/* Written by the harness, before the VM starts. */
	uint32_t actor;   /* enum who */
	uint32_t removed; /* 1 << enum wall */
	char file[PATH_BYTES];    /* a file of the host's root that everybody may read */
	char program[PATH_BYTES]; /* an executable that no loader takes: ENOEXEC is as good as run */
	char socket[PATH_BYTES];  /* a Unix socket somebody listens at; abstract: the same name */
	uint16_t port;            /* TCP on 127.0.0.1 */
	char device[NAME_BYTES];  /* the VFIO device: "0000:01:00.0", or nothing */
	struct {
		uint32_t bytes;
		int32_t type;
		uint8_t handle[HANDLE_BYTES];
	} file_handle; /* of file; bytes is 0 where its file system has none */
	/* Before `go`. */
	int32_t core_pid, other_pid; /* other: a helper that is not the actor */
	int32_t host_pid; /* of a process that is not the VM's */
	uint32_t go;
	/* Written by the actor. */
	uint32_t claimed; /* somebody is the actor */
	uint32_t done;
	uint64_t ram;     /* where the core has guest RAM */
	uint32_t n_todo, next;
	struct todo todo[TODO_MAX];
};
_Static_assert(sizeof(struct page) <= PAGE_BYTES, "it is one mapping");

/* NULL in a process that was not started by the harness. */
extern struct page *page;

static inline bool removed(enum wall wall)
{
	return page && (page->removed >> wall & 1);
}
