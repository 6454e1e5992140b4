/* SPDX-License-Identifier: Apache-2.0
 *
 * `bulkhead devices`, `bulkhead bind` and `bulkhead unbind`. bulkhead-devices, one thread.
 *
 * `bulkhead VERB` becomes this program with the verb as argv[0] (vmm/binary.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "helpers/devices/devices.h"
#include "ipc/fd.h"
#include "ipc/log.h"

/* The group's other members, with blanks between them. */
static void other_members(int root, const struct function *f, char *ret, size_t size)
{
	struct dirent **members;
	size_t used = 0;
	int n;

	ret[0] = '\0';
	if (f->group < 0)
		return;
	n = names_of(root, &members, "sys/kernel/iommu_groups/%d/devices", f->group);
	for (int i = 0; i < n; i++) {
		const char *name = members[i]->d_name;

		if (strcmp(name, f->name) != 0 && used + strlen(name) + 2 < size)
			used += (size_t)sprintf(ret + used, "%s%s", used ? " " : "", name);
	}
	names_free(members, n);
}

static void list_pci(int root, bool json)
{
	static char members[4096];
	struct verdict verdict;
	struct dirent **names;
	struct function f;
	int n = names_of(root, &names, SYS_PCI);

	for (int i = 0; i < n; i++) {
		if (pci_read(root, names[i]->d_name, &f, NULL) < 0)
			continue;
		other_members(root, &f, members, sizeof(members));
		ready_pci(root, &f, &verdict);
		(json ? json_pci : text_pci)(&f, pci_names(f.vendor, f.device), members, &verdict);
	}
	names_free(names, n);
}

static void list_vdpa(int root, bool json)
{
	struct vdpa_device device;
	struct verdict verdict;
	struct dirent **names;
	int n = names_of(root, &names, "sys/bus/vdpa/devices");

	for (int i = 0; i < n; i++) {
		if (vdpa_read(root, names[i]->d_name, &device) < 0)
			continue;
		ready_vdpa(root, &device, &verdict);
		(json ? json_vdpa : text_vdpa)(&device, &verdict);
	}
	names_free(names, n);
}

static void list(int root, bool json)
{
	if (json)
		json_begin();
	list_pci(root, json);
	if (json)
		json_vdpa_begin();
	list_vdpa(root, json);
	if (json)
		json_end();
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
