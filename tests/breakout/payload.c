/* SPDX-License-Identifier: Apache-2.0
 *
 * How a process of a test VM turns evil, at the moment the harness says so.
 *
 * Linked into test builds only (tests/breakout/breakout.mk), beside the very objects the release is
 * linked from: --wrap puts these functions between them and the ones they call. Until `go`
 * everything is as in the release, so what turns evil is the real process behind its real walls.
 *
 * The actor is the first process, or thread of the core, that loaded the run policy the page
 * names. It looks at the page where each of ours waits: in ppoll, the launcher in poll, a vCPU
 * before KVM_RUN.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ipc/frame.h"
#include "seccomp/policy.h"
#include "tests/breakout/attempts.h"
#include "tests/breakout/lies.h"

enum { LOOK_NS = 5000000 };

struct page *page;
static __thread bool actor;

static void __attribute__((constructor)) map_page(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 16);
	void *at;
	int fd;

	if (n <= 0)
		return;
	path[n] = '\0';
	strcpy(strrchr(path, '/'), "/page");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	at = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	page = at == MAP_FAILED ? NULL : at;
}

long raw(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	if (page && page->next < page->n_todo)
		page->todo[page->next].call = (int)nr;
	__asm__ volatile("syscall" : "=a"(ret)
		: "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		: "rcx", "r11", "memory");
	return ret;
}

/* What is forged is judged from outside: by what the core does about it. */
static void one(struct todo *todo)
{
	const struct attempt *attempt = &attempts[todo->attempt];
	long r;

	todo->result = TRYING;
	r = attempt->run();
	todo->result = r >= 0 ? THROUGH : (int)r;
}

static void evil(void)
{
	while (page->next < page->n_todo) {
		one(&page->todo[page->next]);
		page->next++;
	}
	__atomic_store_n(&page->done, 1, __ATOMIC_SEQ_CST);
}

static const struct attempt *current(void)
{
	if (!actor || page->next >= page->n_todo)
		return NULL;
	return &attempts[page->todo[page->next].attempt];
}

static void look(void)
{
	const struct attempt *attempt = current();

	if (attempt && attempt->stage == STAGE_RUN &&
		__atomic_load_n(&page->go, __ATOMIC_SEQ_CST) && !page->done)
		evil();
}

bool is_actor(void)
{
	return actor;
}

bool lie_due(enum stage stage)
{
	const struct attempt *attempt = current();

	return attempt && attempt->stage == stage &&
		(stage == STAGE_DESCRIBE || __atomic_load_n(&page->go, __ATOMIC_SEQ_CST));
}

void lie_now(void)
{
	evil();
}

static enum who who_is(const struct policy *policy)
{
	static const struct {
		const char *process;
		enum who who;
	} names[] = {{"vcpu", WHO_VCPU}, {"core", WHO_CORE}, {"broker", WHO_BROKER},
		{"null", WHO_NULL}, {"vfio", WHO_VFIO}, {"vdpa", WHO_VDPA},
		{"launch", WHO_LAUNCHER}, {"api", WHO_API}, {"open", WHO_OPENER}};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(policy->process, names[i].process) == 0)
			return names[i].who;
	return 0;
}

int __real_policy_enter(const struct policy *policy, enum seccomp_mode mode, bool all_threads,
	struct err *err);
int __wrap_policy_enter(const struct policy *policy, enum seccomp_mode mode, bool all_threads,
	struct err *err);
int __wrap_policy_enter(const struct policy *policy, enum seccomp_mode mode, bool all_threads,
	struct err *err)
{
	int r = __real_policy_enter(policy, mode, all_threads, err);

	if (r == 0 && page && (page->actor & who_is(policy)) &&
		strcmp(policy->stage, "run") == 0 &&
		__atomic_exchange_n(&page->claimed, 1, __ATOMIC_SEQ_CST) == 0)
		actor = true;
	return r;
}

int __real_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
	const sigset_t *mask);
int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
	const sigset_t *mask);
int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
	const sigset_t *mask)
{
	int r = 0;

	while (actor && !timeout && r == 0) {
		look();
		r = __real_ppoll(fds, n, &(struct timespec){.tv_nsec = LOOK_NS}, mask);
	}
	return r ? r : __real_ppoll(fds, n, timeout, mask);
}

/* What _FORTIFY_SOURCE makes of ppoll where it knows the array's size. */
int __wrap___ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
	const sigset_t *mask, size_t size);
int __wrap___ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
	const sigset_t *mask, size_t size)
{
	(void)size;
	return __wrap_ppoll(fds, n, timeout, mask);
}

int __real_poll(struct pollfd *fds, nfds_t n, int ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int ms)
{
	int r = 0;

	while (actor && ms < 0 && r == 0) {
		look();
		r = __real_poll(fds, n, LOOK_NS / 1000000);
	}
	return r ? r : __real_poll(fds, n, ms);
}

int __wrap___poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t size);
int __wrap___poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t size)
{
	(void)size;
	return __wrap_poll(fds, n, ms);
}

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request == KVM_RUN)
		look();
	return __real_ioctl(fd, request, arg);
}
