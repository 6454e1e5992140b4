/* SPDX-License-Identifier: Apache-2.0
 *
 * Taking walls away, one at a time: the calls that put one up are left out, in every process of the
 * VM. Test builds only; seccomp is not here, as `--seccomp false` does it.
 *
 * Each function stands for the one of its name without __wrap_, and is that one for every wall that
 * stays (tests/breakout/breakout.mk lists them).
 */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "ipc/describe.h"
#include "ipc/log.h"
#include "ipc/rules.h"
#include "tests/breakout/page.h"

enum {
	SYS_LANDLOCK_CREATE = 444, SYS_LANDLOCK_RESTRICT = 446, SYS_MSEAL = 462, SET_MDWE = 65,
	PASSRIGHTS = 83,
};

static unsigned long flags_left(unsigned long flags)
{
	if (removed(WALL_USERNS))
		flags &= ~(unsigned long)CLONE_NEWUSER;
	if (removed(WALL_PIDNS))
		flags &= ~(unsigned long)CLONE_NEWPID;
	if (removed(WALL_NETNS))
		flags &= ~(unsigned long)CLONE_NEWNET;
	return flags;
}

/* Without a user namespace there are no ids to map: /proc/PID/uid_map and its like. */
static bool maps_ids(const char *path)
{
	const char *file = strncmp(path, "/proc/", 6) == 0 ? strrchr(path, '/') + 1 : "";

	return strcmp(file, "setgroups") == 0 || strcmp(file, "uid_map") == 0 ||
		strcmp(file, "gid_map") == 0;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return __real_open(removed(WALL_USERNS) && maps_ids(path) ? "/dev/null" : path, flags, mode);
}

/* A cgroup without pids.max and memory.max has no limit. */
int __real_openat(int at, const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	if (removed(WALL_CGROUP) && (strstr(path, "pids.max") || strstr(path, "memory.max")))
		path = "/dev/null";
	return __real_openat(at, path, flags, mode);
}

/* An empty tmpfs, the new root, the old one let go: all of it or none. */
int __real_mount(const char *source, const char *target, const char *type, unsigned long flags,
	const void *data);
int __wrap_mount(const char *source, const char *target, const char *type, unsigned long flags,
	const void *data);
int __wrap_mount(const char *source, const char *target, const char *type, unsigned long flags,
	const void *data)
{
	return removed(WALL_ROOT) ? 0 : __real_mount(source, target, type, flags, data);
}

int __real_umount2(const char *target, int flags);
int __wrap_umount2(const char *target, int flags);
int __wrap_umount2(const char *target, int flags)
{
	return removed(WALL_ROOT) ? 0 : __real_umount2(target, flags);
}

long __real_syscall(long nr, ...);
long __wrap_syscall(long nr, ...);

/* struct landlock_ruleset_attr: fs, net, scoped; a ruleset must handle something, and the launcher's no
 * file: TCP ports that nobody binds. */
static long landlock_create(const uint64_t *attr, size_t size, long flags)
{
	uint64_t left[3] = {0};

	if (!attr || !removed(WALL_SCOPES) || size < sizeof(left))
		return __real_syscall(SYS_LANDLOCK_CREATE, attr, size, flags);
	memcpy(left, attr, sizeof(left));
	left[2] = 0;
	if (!left[0])
		left[1] = 1;
	return __real_syscall(SYS_LANDLOCK_CREATE, left, sizeof(left), flags);
}

long __wrap_syscall(long nr, ...)
{
	long a[6];
	va_list ap;

	va_start(ap, nr);
	for (unsigned i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (nr == SYS_clone)
		a[0] = (long)flags_left((unsigned long)a[0]);
	else if (nr == SYS_clone3)
		((struct clone_args *)a[0])->flags =
			flags_left(((struct clone_args *)a[0])->flags);
	else if (nr == SYS_pivot_root && removed(WALL_ROOT))
		return 0;
	else if ((nr == SYS_LANDLOCK_RESTRICT &&
			(removed(WALL_LANDLOCK) || removed(WALL_LANDLOCK_UNIX))) ||
		(nr == SYS_MSEAL && removed(WALL_MSEAL)))
		return 0;
	else if (nr == SYS_LANDLOCK_CREATE && removed(WALL_SCOPES))
		return landlock_create((const uint64_t *)a[0], (size_t)a[1], a[2]);
	return __real_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int __real_prctl(int option, ...);
int __wrap_prctl(int option, ...);
int __wrap_prctl(int option, ...)
{
	unsigned long a[4];
	va_list ap;

	va_start(ap, option);
	for (unsigned i = 0; i < 4; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if ((option == PR_SET_DUMPABLE && removed(WALL_DUMPABLE)) ||
		(option == SET_MDWE && removed(WALL_MDWE)) ||
		(option == PR_SET_SECUREBITS && removed(WALL_CAPS)))
		return 0;
	if (option == PR_CAPBSET_READ && removed(WALL_CAPS))
		return -1; /* there is nothing to check */
	return __real_prctl(option, a[0], a[1], a[2], a[3]);
}

int __real_setrlimit(int what, const struct rlimit *limit);
int __wrap_setrlimit(int what, const struct rlimit *limit);
int __wrap_setrlimit(int what, const struct rlimit *limit)
{
	if ((what == RLIMIT_NOFILE && removed(WALL_NOFILE)) ||
		(what == RLIMIT_FSIZE && removed(WALL_FSIZE)))
		return 0;
	return __real_setrlimit(what, limit);
}

int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (name == PASSRIGHTS && removed(WALL_PASSRIGHTS))
		return 0;
	return __real_setsockopt(fd, level, name, value, len);
}

capng_results_t __real_capng_have_capabilities(capng_select_t set);
capng_results_t __wrap_capng_have_capabilities(capng_select_t set);
capng_results_t __wrap_capng_have_capabilities(capng_select_t set)
{
	return removed(WALL_CAPS) ? CAPNG_NONE : __real_capng_have_capabilities(set);
}

/* The launcher alone keeps some. Where it is to clone no user namespace, the other namespaces take
 * CAP_SYS_ADMIN of it, so it keeps all. */
int __real_capng_apply(capng_select_t set);
int __wrap_capng_apply(capng_select_t set);
int __wrap_capng_apply(capng_select_t set)
{
	bool launcher = __real_capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE;

	return removed(WALL_CAPS) || (removed(WALL_USERNS) && launcher) ? 0 : __real_capng_apply(set);
}

int __real_rule_check(const struct rule *rule, enum actor from, enum actor to, enum phase phase,
	const struct rule *answering, const int *fds, unsigned n_fds, struct err *err);
int __wrap_rule_check(const struct rule *rule, enum actor from, enum actor to, enum phase phase,
	const struct rule *answering, const int *fds, unsigned n_fds, struct err *err);
int __wrap_rule_check(const struct rule *rule, enum actor from, enum actor to, enum phase phase,
	const struct rule *answering, const int *fds, unsigned n_fds, struct err *err)
{
	if (rule && removed(WALL_RULES))
		return 0;
	return __real_rule_check(rule, from, to, phase, answering, fds, n_fds, err);
}

bool __real_log_allowed(struct log_budget *budget);
bool __wrap_log_allowed(struct log_budget *budget);
bool __wrap_log_allowed(struct log_budget *budget)
{
	return removed(WALL_BUDGET) || __real_log_allowed(budget);
}

/* What the wire says, copied and believed; as much as the arrays hold. */
static void believe_region(const Bulkhead__Region *in, struct region_desc *out)
{
	*out = (struct region_desc){.size = in->size, .io = in->io, .is_64 = in->is_64,
		.prefetchable = in->prefetchable, .fd_offset = in->fd_offset,
		.doorbell_pages = in->doorbell_pages};
	for (size_t i = 0; i < in->n_mappable && i < REGION_RANGES; i++)
		out->ranges[out->n_ranges++] = (struct region_range){in->mappable[i]->offset,
			in->mappable[i]->size};
}

static void believe(const Bulkhead__Description *in, struct function_desc *out)
{
	*out = (struct function_desc){.config_size = (unsigned)in->config.len,
		.can_suspend = in->can_suspend, .intx = in->intx};
	memcpy(out->config, in->config.data,
		in->config.len < PCI_CONFIG_MAX ? in->config.len : PCI_CONFIG_MAX);
	for (size_t i = 0; i < in->n_regions; i++)
		believe_region(in->regions[i], &out->regions[in->regions[i]->index % PCI_BARS]);
	if (in->msix)
		out->msix = (struct msix_desc){.vectors = in->msix->vectors, .cap = in->msix->cap,
			.table_bar = in->msix->table_bar, .pba_bar = in->msix->pba_bar,
			.table_offset = in->msix->table_offset, .pba_offset = in->msix->pba_offset};
	if (in->doorbells)
		out->doorbells = (struct doorbell_desc){.count = in->doorbells->count,
			.bar = in->doorbells->bar, .stride = in->doorbells->stride,
			.offset = in->doorbells->offset};
}

int __real_describe_from_wire(
	const Bulkhead__Description *description, struct function_desc *ret, struct err *err);
int __wrap_describe_from_wire(
	const Bulkhead__Description *description, struct function_desc *ret, struct err *err);
int __wrap_describe_from_wire(
	const Bulkhead__Description *description, struct function_desc *ret, struct err *err)
{
	if (!removed(WALL_DESCRIBE))
		return __real_describe_from_wire(description, ret, err);
	believe(description, ret);
	return 0;
}
