/* SPDX-License-Identifier: Apache-2.0
 *
 * `bulkhead devices`, `bulkhead bind` and `bulkhead unbind`. bulkhead-devices, one thread.
 *
 * `bulkhead VERB` becomes this program with the verb as argv[0] (helpers/launch/binary.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "helpers/devices/devices.h"
#include "ipc/log.h"

static void list_pci(struct host *host, bool json)
{
	folder_owned names = folder_sorted(host->root, SYS_PCI);
	static char members[4096];
	struct verdict verdict;
	struct function f;

	for (int i = 0; i < names.n; i++) {
		if (pci_read(host->root, names.entries[i]->d_name, &f, NULL) < 0)
			continue;
		pci_group_with(host->root, &f, members, sizeof(members));
		take_pci(host, &f, TAKE_ALL, &verdict);
		(json ? json_pci : text_pci)(&f, pci_names(f.vendor, f.device), members, &verdict);
	}
}

static void list_vdpa(struct host *host, bool json)
{
	folder_owned names = folder_sorted(host->root, SYS_VDPA);
	struct vdpa_device device;
	struct verdict verdict;

	for (int i = 0; i < names.n; i++) {
		if (vdpa_read(host->root, names.entries[i]->d_name, &device) < 0)
			continue;
		take_vdpa(host, &device, &verdict);
		(json ? json_vdpa : text_vdpa)(&device, &verdict);
	}
}

static void list(int root, bool json)
{
	struct host host = host_at(root);

	host.claimed = claim_refused;
	if (json)
		json_begin();
	list_pci(&host, json);
	if (json)
		json_vdpa_begin();
	list_vdpa(&host, json);
	if (json)
		json_end();
	host_close(&host);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 0 ? argv[0] : "";
	const char *option = argc > 1 && argv[1][0] == '-' ? argv[1] : "";
	int first = option[0] ? 2 : 1, r = -EINVAL;
	fd_owned root = FD_NONE_INIT;
	struct err err = {0};

	log_init("bulkhead", LOG_WARN, 2);
	err_set(&err, r, BLAME_HOST, "usage: bulkhead devices [--json] | bind [--force] "
		"DDDD:BB:DD.F... | unbind DDDD:BB:DD.F...");
	root.n = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root.n < 0) {
		r = err_set(&err, -errno, BLAME_HOST, "/: %s", strerror(errno));
	} else if (strcmp(verb, "devices") == 0 && argc == first &&
		(!option[0] || strcmp(option, "--json") == 0)) {
		list(root.n, option[0]);
		r = 0;
	} else if (strcmp(verb, "bind") == 0 && argc > first &&
		(!option[0] || strcmp(option, "--force") == 0)) {
		r = bind_functions(root.n, argv + first, argc - first, option[0], &err);
	} else if (strcmp(verb, "unbind") == 0 && argc > first && !option[0]) {
		r = unbind_functions(root.n, argv + first, argc - first, &err);
	}
	if (r == 0 && fflush(stdout) != 0)
		r = err_set(&err, -errno, BLAME_HOST, "standard output: %s", strerror(errno));
	if (r < 0)
		log_error("%s", err.msg);
	return r < 0;
}
