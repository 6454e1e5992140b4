/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading /proc/PID (proc(5)), always below a directory descriptor: it stands for one process, and
 * reads of it fail once that has ended, whoever gets its number. bulkhead-audit.
 *
 * The parsers take text only; nothing in it is believed to have the form it should.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "helpers/audit/audit.h"
#include "ipc/fd.h"

const char *const held_names[HELD_KINDS] = {
	[HELD_EVENT] = "eventfd",
	[HELD_SIGNAL] = "signalfd",
	[HELD_PID] = "pidfd",
	[HELD_SOCKET] = "socket",
	[HELD_PIPE] = "pipe",
	[HELD_TTY] = "terminal",
	[HELD_NULL] = "null",
	[HELD_FILE] = "file",
	[HELD_DIR] = "directory",
	[HELD_MEMFD] = "memfd",
	[HELD_KVM] = "/dev/kvm",
	[HELD_KVM_VM] = "kvm-vm",
	[HELD_KVM_VCPU] = "kvm-vcpu",
	[HELD_KVM_DEVICE] = "kvm-device",
	[HELD_VFIO_DEVICE] = "vfio-device",
	[HELD_VFIO_GROUP] = "vfio-group",
	[HELD_VFIO_CONTAINER] = "vfio-container",
	[HELD_IOMMU] = "iommufd",
	[HELD_VDPA] = "vhost-vdpa",
	[HELD_WATCH] = "inotify",
	[HELD_OTHER] = "other",
};

int proc_open(pid_t pid, int *ret_dir)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	*ret_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_dir < 0 ? -errno : 0;
}

int proc_read(int dir, const char *file, char *ret, size_t size)
{
	fd_owned fd = {openat(dir, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
	size_t used = 0;
	ssize_t n = 1;

	ret[0] = '\0';
	if (fd.n < 0)
		return -errno;
	while (n > 0 && used < size - 1) {
		n = read(fd.n, ret + used, size - 1 - used);
		if (n < 0)
			return -errno;
		used += (size_t)n;
	}
	ret[used] = '\0';
	return 0;
}

int proc_link(int dir, const char *file, char *ret, size_t size)
{
	ssize_t n = readlinkat(dir, file, ret, size - 1);

	ret[n > 0 ? n : 0] = '\0';
	return n < 0 ? -errno : 0;
}

int proc_each(int dir, const char *sub, int (*each)(unsigned number, void *opaque), void *opaque)
{
	int fd = openat(dir, sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);

	if (!entries)
		return -errno;
	for (struct dirent *d; r == 0 && (d = readdir(entries)) != NULL;)
		if (isdigit((unsigned char)d->d_name[0]))
			r = each((unsigned)strtoul(d->d_name, NULL, 10), opaque);
	closedir(entries);
	return r;
}

void printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

/* "Key:\tvalue" at the beginning of a line. A thread's name is in the first line, its newlines
 * escaped, so no process can put in a line of its own. */
bool status_field(const char *status, const char *key, char *ret, size_t size)
{
	size_t len = strlen(key);

	for (const char *line = status; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) != 0 || line[len] != ':')
			continue;
		line += len + 1;
		line += strspn(line, " \t");
		snprintf(ret, size, "%.*s", (int)strcspn(line, "\n"), line);
		return true;
	}
	return false;
}

bool status_ids(const char *status, struct ids *ret)
{
	unsigned *uid = ret->uid, *gid = ret->gid;
	char uids[64], gids[64];

	return status_field(status, "Uid", uids, sizeof(uids)) &&
		status_field(status, "Gid", gids, sizeof(gids)) &&
		sscanf(uids, "%u %u %u %u", &uid[0], &uid[1], &uid[2], &uid[3]) == 4 &&
		sscanf(gids, "%u %u %u %u", &gid[0], &gid[1], &gid[2], &gid[3]) == 4;
}

bool ids_of(const struct process *process, struct ids *ret)
{
	char status[4096];

	return proc_read(process->dir, "status", status, sizeof(status)) == 0 && status_ids(status, ret);
}

/* "Max open files            1024                 4096                 files" */
bool limits_field(const char *limits, const char *name, uint64_t *ret)
{
	const char *line = strstr(limits, name);
	char hard[24];

	if (!line || sscanf(line + strlen(name), "%*s %23s", hard) != 1)
		return false;
	if (strcmp(hard, "unlimited") == 0) {
		*ret = UINT64_MAX;
		return true;
	}
	return sscanf(hard, "%" SCNu64, ret) == 1;
}

/* "7f…-7f… rw-s 00000000 00:01 1036   /memfd:guest-ram (deleted)" */
bool maps_line(const char *line, struct mapping *ret)
{
	struct mapping map = {.path = ""};
	char perms[5];
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*x:%*x %*u%n", &map.start, &map.end,
		    perms, &at) != 3 || at == 0 || strlen(perms) != 4 || map.start >= map.end)
		return false;
	map.write = perms[1] == 'w';
	map.execute = perms[2] == 'x';
	line += at;
	line += strspn(line, " ");
	snprintf(map.path, sizeof(map.path), "%.*s", (int)strcspn(line, "\n"), line);
	*ret = map;
	return true;
}

static enum held anonymous(const char *name)
{
	static const struct {
		const char *name;
		enum held kind;
	} known[] = {
		{"[eventfd]", HELD_EVENT},
		{"[signalfd]", HELD_SIGNAL},
		{"[pidfd]", HELD_PID},
		{"kvm-vm", HELD_KVM_VM},
		{"kvm-vcpu:", HELD_KVM_VCPU},
		{"kvm-vfio", HELD_KVM_DEVICE},
		{"[vfio-device]", HELD_VFIO_DEVICE},
		{"inotify", HELD_WATCH},
	};

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(name, known[i].name, strlen(known[i].name)) == 0)
			return known[i].kind;
	return HELD_OTHER;
}

/* device: "misc/kvm", "vfio/12", "vfio-dev/vfio0", "vhost-vdpa-0", "tty/tty1"; the last two
 * components of its path in sysfs. */
static enum held character(const char *device)
{
	const char *name = strrchr(device, '/') ? strrchr(device, '/') + 1 : device;

	if (strcmp(device, "misc/kvm") == 0)
		return HELD_KVM;
	if (strcmp(device, "misc/vfio") == 0)
		return HELD_VFIO_CONTAINER;
	if (strcmp(device, "misc/iommu") == 0)
		return HELD_IOMMU;
	if (strcmp(device, "mem/null") == 0)
		return HELD_NULL;
	if (strncmp(device, "vfio-dev/", 9) == 0)
		return HELD_VFIO_DEVICE;
	if (strncmp(device, "vfio/", 5) == 0)
		return HELD_VFIO_GROUP;
	if (strncmp(name, "vhost-vdpa-", 11) == 0)
		return HELD_VDPA;
	if (strncmp(device, "tty/", 4) == 0 || strncmp(name, "ttyS", 4) == 0 ||
		strncmp(name, "hvc", 3) == 0)
		return HELD_TTY;
	return HELD_OTHER;
}

enum held held_of(const char *link, unsigned mode, const char *device)
{
	if (strncmp(link, "anon_inode:", 11) == 0)
		return anonymous(link + 11);
	if (strncmp(link, "pidfd:", 6) == 0) /* since 6.9 a file system of its own */
		return HELD_PID;
	if (strncmp(link, "/memfd:", 7) == 0)
		return HELD_MEMFD;
	/* Pseudo-terminals are not in sysfs. */
	if (S_ISCHR(mode))
		return strncmp(link, "/dev/pts/", 9) == 0 || strncmp(link, "/pts/", 5) == 0 ?
			HELD_TTY : character(device);
	if (S_ISSOCK(mode))
		return HELD_SOCKET;
	if (S_ISFIFO(mode))
		return HELD_PIPE;
	if (S_ISDIR(mode))
		return HELD_DIR;
	return S_ISREG(mode) ? HELD_FILE : HELD_OTHER;
}
