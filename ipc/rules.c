/* SPDX-License-Identifier: Apache-2.0
 *
 * The protocol's table and its two checks. Every process; const data, no state.
 *
 * Reading a row: sender -> receiver, phases, {kinds of descriptors}, answer, deadline.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "ipc/rules.h"

#define ON(x)  BULKHEAD__PACKET__BODY_##x
#define CORE   ACTOR_CORE
#define BROKER ACTOR_BROKER
#define HELPER ACTOR_HELPER
#define API    ACTOR_API
#define OPENER ACTOR_OPENER
#define EARLY  PHASE_SETUP
#define LATE   PHASE_RUN
#define ALWAYS (PHASE_SETUP | PHASE_RUN)
#define KINDS(...) .kinds = {__VA_ARGS__}

/* An ask and what answers it; an answer; an event. */
#define ASK(b, sender, receiver, when, reply, ms, ...)                                             \
	{.name = #b, .body = ON(b), .from = (sender), .to = (receiver), .phases = (when),          \
		.answered = ON(reply), .deadline_ms = (ms), __VA_ARGS__}
#define ANSWER(b, sender, receiver, when, ...)                                                     \
	{.name = #b, .body = ON(b), .from = (sender), .to = (receiver), .phases = (when),          \
		.answer = true, __VA_ARGS__}
#define EVENT(b, sender, receiver, when, ...)                                                      \
	{.name = #b, .body = ON(b), .from = (sender), .to = (receiver), .phases = (when),          \
		__VA_ARGS__}

const struct rule rules[] = {
	ANSWER(DONE, BROKER | HELPER | OPENER | CORE, CORE | BROKER | API, ALWAYS),
	ANSWER(REFUSED, BROKER | HELPER | OPENER | CORE, CORE | BROKER | API, ALWAYS),
	ANSWER(VALUE, HELPER, CORE, LATE),

	ASK(START, CORE, BROKER, EARLY, DONE, 10000, .min_fds = 1, KINDS(FD_KIND_RAM)),
	/* Pins all guest RAM, page by page: minutes with a large guest; opens (resets) the device. */
	ASK(ATTACH, CORE, BROKER, EARLY, ATTACHED, 3600000),
	ANSWER(ATTACHED, BROKER, CORE, EARLY, KINDS(FD_KIND_CHARDEV)),
	/* Page by page, too. */
	ASK(MAP_BAR, CORE, BROKER, EARLY, DONE, 600000),
	ASK(SEAL, CORE, BROKER, EARLY, DONE, 10000, .enters = LATE),

	/* The broker tells when it is done: a device may need a minute to close. */
	EVENT(RELEASE, CORE, BROKER, LATE),

	EVENT(RELEASED, BROKER, CORE, ALWAYS),
	EVENT(DEVICE_WANTED, BROKER, CORE, ALWAYS),

	/* A group or a cdev (vfio); a node and guest RAM, which is pinned then (vdpa). */
	ASK(OPEN, BROKER, HELPER, EARLY, OPENED, 50000, KINDS(FD_KIND_CHARDEV, FD_KIND_RAM)),
	ANSWER(OPENED, HELPER, BROKER, EARLY, KINDS(FD_KIND_DEVICE)),

	EVENT(DESCRIPTION, HELPER, CORE, EARLY, KINDS(FD_KIND_DEVICE)),
	ASK(KICK_ARM, CORE, HELPER, LATE, DONE, 2000, .min_fds = 1, KINDS(FD_KIND_EVENTFD)),
	ASK(INTX_ARM, CORE, HELPER, LATE, DONE, 2000, .min_fds = 2,
		KINDS(FD_KIND_EVENTFD, FD_KIND_EVENTFD)),
	ASK(CONFIG_READ, CORE, HELPER, LATE, VALUE, 1000),
	/* A virtio device is reset and started by a register write, which its window in config space
	 * (virtio 1.2 §4.1.4.9) can be. */
	ASK(CONFIG_WRITE, CORE, HELPER, LATE, DONE, 3000),
	ASK(REGION_READ, CORE, HELPER, LATE, VALUE, 1000),
	ASK(REGION_WRITE, CORE, HELPER, LATE, DONE, 3000),
	ASK(MSI_ENABLE, CORE, HELPER, LATE, DONE, 2000),
	ASK(MSI_DISABLE, CORE, HELPER, LATE, DONE, 2000),
	ASK(MSI_ARM, CORE, HELPER, LATE, DONE, 2000, .min_fds = 1, KINDS(FD_KIND_EVENTFD)),
	ASK(MSIX_ENABLE, CORE, HELPER, LATE, DONE, 2000),
	ASK(MSIX_DISABLE, CORE, HELPER, LATE, DONE, 2000),
	ASK(MSIX_ARM, CORE, HELPER, LATE, DONE, 2000, .min_fds = 1, KINDS(FD_KIND_EVENTFD)),
	/* The kernel would wait 60 s for a device that is not ready (PCIE_RESET_READY_POLL_MS), which
	 * should be so within one (PCIe 6.6.1). Whoever asks holds the function's lock, on which the
	 * main thread may be waiting; a device that takes longer than this is failed. */
	ASK(RESET, CORE, HELPER, LATE, DONE, 10000),
	ASK(SUSPEND, CORE, HELPER, LATE, DONE, 10000),
	ASK(RESUME, CORE, HELPER, LATE, DONE, 10000),

	EVENT(SETTLED, CORE, HELPER, LATE),
	EVENT(DEVICE_ERROR, HELPER, CORE, LATE),
	EVENT(DEVICE_REQUEST, HELPER, CORE, LATE),

	/* What was named is open: what for, and what it is called. */
	EVENT(CORE_CONFIG, OPENER, CORE, EARLY, .min_fds = 2,
		KINDS(FD_KIND_CHARDEV, FD_KIND_ANY, FD_KIND_ANY)),
	EVENT(CORE_CONSOLE, OPENER, CORE, EARLY, .min_fds = 1, KINDS(FD_KIND_ANY, FD_KIND_ANY)),
	EVENT(CORE_DEVICE, OPENER, CORE, EARLY, KINDS(FD_KIND_ANY)),
	EVENT(CORE_GO, OPENER, CORE, EARLY),
	EVENT(BROKER_CONFIG, OPENER, BROKER, EARLY, .min_fds = 1, KINDS(FD_KIND_CHARDEV)),
	EVENT(BROKER_DEVICE, OPENER, BROKER, EARLY, KINDS(FD_KIND_CHARDEV, FD_KIND_ANY)),

	/* The configuration and the VM's life, which the opener keeps. It may have to open files, in
	 * children with deadlines of their own; to wait for devices that take a minute to close. */
	ASK(API_STATE, API, OPENER, ALWAYS, API_STATE_IS, 10000),
	ANSWER(API_STATE_IS, OPENER, API, ALWAYS),
	EVENT(API_NOTES, API | OPENER, OPENER | API, ALWAYS),
	ASK(API_CREATE, API, OPENER, ALWAYS, DONE, 10000),
	ASK(API_BOOT, API, OPENER, ALWAYS, DONE, 120000),
	ASK(API_SHUTDOWN, API, OPENER, ALWAYS, DONE, 120000),
	ASK(API_DELETE, API, OPENER, ALWAYS, DONE, 120000),
	ASK(API_QUIT, API, OPENER, ALWAYS, DONE, 120000),
	/* The device's own descriptor, where the client has sent one. */
	ASK(API_ADD, API, OPENER, ALWAYS, DONE, 60000, KINDS(FD_KIND_CHARDEV)),
	ASK(API_REMOVE, API, OPENER, ALWAYS, DONE, 10000),
	ASK(API_RESIZE, API, OPENER, ALWAYS, DONE, 10000),
	EVENT(API_LIFE, OPENER, API, ALWAYS),
	EVENT(API_PLACED, OPENER, API, ALWAYS),

	/* Lifecycle of the VM that runs. Parking the vCPUs may take 16 s (vmm/kvm/vcpu.h), a reset of
	 * every device more; else the core's main thread may be waiting for a helper. */
	ASK(LIFE_PAUSE, API, CORE, ALWAYS, DONE, 60000),
	ASK(LIFE_RESUME, API, CORE, ALWAYS, DONE, 60000),
	ASK(LIFE_REBOOT, API, CORE, ALWAYS, DONE, 120000),
	ASK(LIFE_POWER, API, CORE, ALWAYS, DONE, 30000),
	ASK(LIFE_NMI, API, CORE, ALWAYS, DONE, 30000),
	ASK(LIFE_UNPLUG, API, CORE, ALWAYS, DONE, 30000),
	ASK(LIFE_INFO, API, CORE, ALWAYS, LIFE_INFO_IS, 60000),
	ANSWER(LIFE_INFO_IS, CORE, API, ALWAYS),
	ASK(LIFE_COUNTERS, API, CORE, ALWAYS, LIFE_COUNTERS_ARE, 60000),
	ANSWER(LIFE_COUNTERS_ARE, CORE, API, ALWAYS),
	EVENT(LIFE_STARTED, CORE, API, ALWAYS),
	EVENT(LIFE_FAILED, CORE, API, ALWAYS),
	EVENT(LIFE_PAUSED, CORE, API, ALWAYS),
	EVENT(LIFE_RESUMED, CORE, API, ALWAYS),
	EVENT(LIFE_REBOOTING, CORE, API, ALWAYS),
	EVENT(LIFE_REBOOTED, CORE, API, ALWAYS),
	EVENT(LIFE_PLUGGED, CORE, API, ALWAYS),
	EVENT(LIFE_PLUG_FAILED, CORE, API, ALWAYS),
	EVENT(LIFE_UNPLUGGED, CORE, API, ALWAYS),
	EVENT(LIFE_OST, CORE, API, ALWAYS),
	EVENT(LIFE_DEVICE_FAILED, CORE, API, ALWAYS),
	EVENT(LIFE_HELPER_ENDED, CORE, API, ALWAYS),
	EVENT(LIFE_LAYER_MISSING, CORE, API, ALWAYS),
};
const unsigned n_rules = sizeof(rules) / sizeof(rules[0]);

const struct rule *rule_of(Bulkhead__Packet__BodyCase body)
{
	for (unsigned i = 0; i < n_rules; i++)
		if (rules[i].body == body)
			return &rules[i];
	return NULL;
}

int rule_check(const struct rule *rule, enum actor from, enum actor to, enum phase phase,
	const struct rule *answering, const int *fds, unsigned n_fds, struct err *err)
{
	unsigned max_fds = 0;

	if (!rule)
		return err_set(err, -EBADMSG, BLAME_PEER, "sent a message nobody knows");
	if (!(rule->from & from) || !(rule->to & to))
		return err_set(err, -EBADMSG, BLAME_PEER, "sent %s, which is not its to send",
			rule->name);
	if (!(rule->phases & phase))
		return err_set(err, -EBADMSG, BLAME_PEER, "sent %s at the wrong time", rule->name);
	if (rule->answer != (answering != NULL))
		return err_set(err, -EBADMSG, BLAME_PEER, "sent %s where %s was due", rule->name,
			answering ? "an answer" : "an ask or an event");
	if (answering && rule->body != answering->answered && rule->body != ON(REFUSED))
		return err_set(err, -EBADMSG, BLAME_PEER, "answered %s with %s", answering->name,
			rule->name);
	while (max_fds < RULE_FDS && rule->kinds[max_fds] != FD_KIND_NONE)
		max_fds++;
	if (n_fds < rule->min_fds || n_fds > max_fds)
		return err_set(err, -EBADMSG, BLAME_PEER, "sent %s with %u descriptors",
			rule->name, n_fds);
	for (unsigned i = 0; i < n_fds; i++)
		if (fd_kind_check(fds[i], rule->kinds[i]) < 0)
			return err_set(err, -EBADMSG, BLAME_PEER,
				"sent %s with a descriptor of the wrong kind", rule->name);
	return 0;
}

int fd_kind_check(int fd, enum fd_kind kind)
{
	enum { ANON_INODE_FS = 0x09041934, VFIO_FS = 0x5646494f };
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct statfs fs;
	struct stat st;
	bool ok = false;
	int have;

	switch (kind) {
	case FD_KIND_NONE: break;
	case FD_KIND_RAM:
		have = fcntl(fd, F_GET_SEALS); /* fails on anything but a memfd */
		ok = have >= 0 && (have & seals) == seals;
		break;
	case FD_KIND_ANY: ok = true; break;
	case FD_KIND_EVENTFD:
		ok = fstatfs(fd, &fs) == 0 && fs.f_type == ANON_INODE_FS;
		break;
	case FD_KIND_CHARDEV:
		/* Not fstat(3): that is newfstatat(2) in glibc 2.33-2.38, which takes paths. */
		ok = syscall(SYS_fstat, fd, &st) == 0 && S_ISCHR(st.st_mode);
		break;
	case FD_KIND_DEVICE:
		ok = fstatfs(fd, &fs) == 0 &&
			(fs.f_type == ANON_INODE_FS || fs.f_type == VFIO_FS ||
				(syscall(SYS_fstat, fd, &st) == 0 && S_ISCHR(st.st_mode)));
		break;
	}
	return ok ? 0 : -EBADMSG;
}
