/* SPDX-License-Identifier: Apache-2.0
 *
 * `bulkhead audit [--json] PID`: is a running VM confined as promised? bulkhead-audit, one thread.
 *
 * Ends with 0 when all is as promised, 1 when anything is weaker, 2 when it cannot be told: no such
 * VM, it ended meanwhile, or too few rights.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers/audit/audit.h"
#include "ipc/log.h"

enum { STATUS_CANNOT = 2 };

static int parse(int argc, char **argv, bool *ret_json, pid_t *ret_pid)
{
	char *end = (char[]){"?"};

	*ret_json = false;
	*ret_pid = 0;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			*ret_json = true;
		} else if (*ret_pid == 0) {
			long value = strtol(argv[i], &end, 10);

			if (*end != '\0' || value <= 0 || value > INT32_MAX)
				return -EINVAL;
			*ret_pid = (pid_t)value;
		} else {
			return -EINVAL;
		}
	}
	return *ret_pid ? 0 : -EINVAL;
}

static bool still_there(const struct audit *audit)
{
	return poll(&(struct pollfd){.fd = audit->pidfd, .events = POLLIN}, 1, 0) == 0;
}

int main(int argc, char **argv)
{
	static struct audit audit;
	struct err err = {0};
	pid_t pid;
	bool json;

	log_init("bulkhead-audit", LOG_WARN, 2);
	if (parse(argc, argv, &json, &pid) < 0) {
		log_error("usage: bulkhead audit [--json] PID, the pid of a VM: `pgrep -x bulkhead` "
			"lists them");
		return STATUS_CANNOT;
	}
	if (audit_find(&audit, pid, &err) < 0) {
		log_error("%s", err.msg);
		return STATUS_CANNOT;
	}
	for (unsigned i = 0; i < audit.n; i++) {
		struct process *process = &audit.processes[i];

		check_identity(&audit, process);
		check_rights(&audit, process);
		check_namespaces(&audit, process);
		check_resources(&audit, process);
		check_filters(&audit, process);
		check_descriptors(&audit, process);
		check_memory(&audit, process);
	}
	if (!still_there(&audit)) {
		log_error("%d ended while it was looked at", pid);
		return STATUS_CANNOT;
	}
	return json ? report_json(&audit) : report_text(&audit);
}
