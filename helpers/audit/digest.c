/* SPDX-License-Identifier: Apache-2.0
 *
 * Is what a process runs what was built? bulkhead-audit.
 *
 * The build links this program last and gives it the SHA-256 of each of a VM's binaries, as linked
 * (Makefile, DIGESTS). /proc/PID/exe is the very file that runs, whatever has its name by now: its
 * pages are those the process has mapped, but for changed ones, which memory.c sees. So a wall that
 * nothing outside the process shows (a check of a message, Landlock, MDWE) is there, or the binary
 * is another.
 */
#include <errno.h>
#include <sha2.h>
#include <stdio.h>
#include <string.h>

#include "helpers/audit/audit.h"

_Static_assert(DIGEST_SIZE == SHA256_DIGEST_STRING_LENGTH, "SHA-256 in hexadecimal");

static const struct {
	const char *binary, *digest;
} built[] = {
#include "audit/digests.h" /* generated */
};

const char *digest_built(const char *binary)
{
	for (unsigned i = 0; i < sizeof(built) / sizeof(built[0]); i++)
		if (strcmp(binary, built[i].binary) == 0)
			return built[i].digest;
	return "none";
}

int digest_running(int dir, char ret[static DIGEST_SIZE])
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/exe", dir);
	if (SHA256File(path, ret))
		return 0;
	*ret = '\0';
	return -errno;
}
