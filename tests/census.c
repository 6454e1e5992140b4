/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading /proc. Tests only.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/census.h"

int census_fds(pid_t pid)
{
	char path[64];
	struct dirent *entry;
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid ? pid : getpid());
	dir = opendir(path);
	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return pid ? n : n - 1; /* without the one that reads the directory */
}

bool census_status(pid_t pid, const char *field, char *ret, size_t size)
{
	char path[64], line[256];
	size_t len = strlen(field);
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		if (strncmp(line, field, len) != 0 || line[len] != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(ret, size, "%s", line + len + 1 + strspn(line + len + 1, " \t"));
		found = true;
	}
	fclose(f);
	return found;
}

bool census_own_namespaces(pid_t pid, const char *const *kinds)
{
	char path[64], theirs[64], ours[64];

	for (; *kinds; kinds++) {
		ssize_t n, m;

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, *kinds);
		n = readlink(path, theirs, sizeof(theirs));
		snprintf(path, sizeof(path), "/proc/self/ns/%s", *kinds);
		m = readlink(path, ours, sizeof(ours));
		if (n <= 0 || m <= 0 || (n == m && memcmp(ours, theirs, (size_t)n) == 0))
			return false;
	}
	return true;
}
