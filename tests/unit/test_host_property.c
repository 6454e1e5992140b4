/* SPDX-License-Identifier: Apache-2.0
 *
 * Five hundred hosts made from numbers, and of each of their devices: what `bulkhead devices` calls
 * ready is, and the start takes it as far as opening its node; advice that is followed leads there,
 * or to a reason why not; `bulkhead bind` takes what is free, and nothing that the host's root,
 * network, console or another VM stands on.
 *
 * The world (world.h) knows by itself what is so.
 *
 * links: tests/unit/world.c tests/unit/world_made.c tests/unit/world_tree.c tests/unit/world_disks.c
 * links: tests/unit/world_files.c
 * links: tests/unit/world_kernel.c tests/unit/nodes.c
 * links: helpers/host/address.c helpers/host/alias.c helpers/host/console.c helpers/host/disk.c
 * links: helpers/host/files.c helpers/host/network.c helpers/host/obstacle.c helpers/host/open.c
 * links: helpers/host/pci.c helpers/host/place.c helpers/host/take.c helpers/host/vdpa.c
 * links: helpers/host/way.c
 * links: helpers/devices/bind.c helpers/devices/driver.c helpers/devices/claim.c helpers/devices/record.c
 * links: helpers/open/devices.c helpers/open/allow.c helpers/opts/opts_api.c helpers/opts/opts_value.c
 * links: helpers/open/explain.c helpers/open/vdpa.c helpers/open/ways.c
 */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "helpers/devices/devices.h"
#include "helpers/open/open.h"
#include "ipc/log.h"
#include "tests/unit/nodes.h"
#include "tests/unit/world.h"

enum { HOSTS = 500, PARTS = 10, STEPS = 60 };

static unsigned seed;
static struct err err;

#define so(condition, of, ...) \
	do { \
		char so_text[1200]; \
		snprintf(so_text, sizeof(so_text), __VA_ARGS__); \
		cr_assert(condition, "host %u, %s: %s", seed, of, so_text); \
	} while (0)

static struct verdict look(const char *name, bool vdpa)
{
	struct host host = host_at(world_root());
	struct vdpa_device device;
	struct verdict verdict;
	struct function f;

	nodes_as_root = world.root;
	host.claimed = claim_refused;
	if (vdpa) {
		so(vdpa_read(world_root(), name, &device) == 0, name, "cannot be read");
		take_vdpa(&host, &device, &verdict);
	} else {
		so(pci_read(world_root(), name, &f, &err) == 0, name, "%s", err.msg);
		take_pci(&host, &f, TAKE_ALL, &verdict);
	}
	host_close(&host);
	return verdict;
}

/* What a start does with it before it changes anything. */
static int start(enum word_kind kind, const char *path)
{
	static struct opening opening;
	struct wanted *device = &opening.devices[0];
	int r;

	nodes_as_root = world.root;
	nodes_opened[0] = '\0';
	opening = (struct opening){.root = {world_root()}, .container = FD_NONE_INIT,
		.iommufd = FD_NONE_INIT, .opts = {.n_devices = 1,
		.devices = {{.kind = kind, .path = path, .id = "x"}}}};
	*device = (struct wanted){.group = -1, .node = FD_NONE_INIT, .watch = FD_NONE_INIT,
		.rom = FD_NONE_INIT, .given = FD_NONE_INIT, .opt = &opening.opts.devices[0]};
	opening.n_devices = 1;
	r = check_devices(&opening, 0, &err);
	if (r == 0)
		r = ways_open(&opening, 0, &err);
	fd_close(&device->node);
	fd_close(&device->watch);
	fd_close(&opening.iommufd);
	fd_close(&opening.container);
	for (unsigned i = 0; i < opening.n_groups; i++)
		fd_close(&opening.groups[i].fd);
	return r;
}

static void explained(const char *name, int r)
{
	so(strncmp(err.msg, name, strlen(name)) == 0 || strstr(err.msg, name), name, "nobody: %s",
		err.msg);
	so(strstr(err.msg, "; ") && strlen(err.msg) < sizeof(err.msg) - 1, name, "%d: %s", r, err.msg);
}

static void check_start(const char *name, enum word_kind kind, const char *path,
	const struct verdict *verdict)
{
	char what[400];
	int r = start(kind, path);

	if (!verdict->n) {
		so(r == 0, name, "ready, and refused: %s", err.msg);
		so(nodes_opened[0], name, "no node was opened");
		return;
	}
	obstacle_what(&verdict->obstacles[0], name, what, sizeof(what));
	/* A device that another VM has by its own node opens; binding it fails, later. */
	so(r < 0 || verdict->obstacles[0].kind == OBSTACLE_USED, name, "taken, in spite of: %s", what);
	if (r < 0)
		explained(name, r);
}

/* ---- PCI functions */

static void check_function_start(const char *bdf, const struct verdict *verdict)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s", world_folder(), bdf);
	check_start(bdf, KIND_VFIO, path, verdict);
}

static const char *first_of(const struct verdict *verdict, const char *name)
{
	static char what[400];

	if (verdict->n)
		obstacle_what(&verdict->obstacles[0], name, what, sizeof(what));
	return verdict->n ? what : "ready";
}

static void follow(const char *name, bool vdpa)
{
	for (int step = 0; step < STEPS; step++) {
		struct verdict verdict = look(name, vdpa);
		const struct obstacle *o = &verdict.obstacles[0];

		if (!verdict.n)
			return;
		so(o->next[0], name, "no advice for: %s", first_of(&verdict, name));
		if (o->advice == ADVICE_NONE) {
			so(vdpa || world_is_stuck(world_find(name)), name, "there is a way past: %s",
				first_of(&verdict, name));
			return;
		}
		if (o->advice == ADVICE_COMMAND)
			so(world_run(o->next), name, "for «%s» the advice cannot be followed: %s",
				first_of(&verdict, name), o->next);
		else if (!world_set(o))
			return;
	}
	so(false, name, "advice without end: %s", look(name, vdpa).obstacles[0].next);
}

static void check_follow(const char *bdf)
{
	const struct world before = world;
	struct verdict verdict;

	follow(bdf, false);
	verdict = look(bdf, false);
	so(!verdict.n == world_ready(world_find(bdf)), bdf, "after the advice: %s",
		first_of(&verdict, bdf));
	check_function_start(bdf, &verdict);
	world_boot(&before);
}

/* As it was, also when somebody took it from VFIO by hand, and it was bound again. */
static void check_unbind(struct wfunction *f, const struct world *before)
{
	char name[PCI_ADDRESS];
	int r = 0;

	strcpy(name, f->bdf);
	if (seed % 2) {
		memset(f->driver, 0, sizeof(f->driver));
		world_write();
		r = bind_functions(world_root(), (char *const[]){name}, 1, false, &err);
		so(r == 0, name, "again: %s", err.msg);
	}
	r = unbind_functions(world_root(), (char *const[]){name}, 1, &err);
	so(r == 0, name, "unbind: %s", err.msg);
	world.variants = before->variants; /* a module stays */
	so(memcmp(before, &world, sizeof(world)) == 0, name, "not as it was: %s, %s", f->driver,
		f->override);
}

static void check_bind(const char *bdf)
{
	const struct world before = world;
	struct wfunction *f = world_find(bdf);
	const bool may = world_may_bind(f);
	const unsigned stands = world_stands() >> (f - world.functions) & 1;
	char name[PCI_ADDRESS];
	int r;

	nodes_as_root = true;
	strcpy(name, bdf);
	r = bind_functions(world_root(), (char *const[]){name}, 1, false, &err);
	if (r < 0) {
		so(!may, bdf, "free, and not bound: %s", err.msg);
		explained(bdf, r);
		so(memcmp(&before, &world, sizeof(world)) == 0, bdf, "refused, and something changed");
		return;
	}
	so(!stands, bdf, "bound, and something stands on it");
	so(may, bdf, "bound, and it should not be");
	so(strcmp(f->driver, f->variant && !world.variants_refuse ? "mlx5_vfio_pci" : "vfio-pci") == 0,
		bdf, "on %s", f->driver);
	if (!group_is_used(f))
		check_unbind(f, &before);
	world_boot(&before);
}

static void check_function(const struct wfunction *f)
{
	char bdf[PCI_ADDRESS];
	struct verdict verdict;

	strcpy(bdf, f->bdf);
	verdict = look(bdf, false);
	so(!verdict.n == world_ready(f), bdf, "it is %sready, and said is: %s",
		world_ready(f) ? "" : "not ", first_of(&verdict, bdf));
	check_function_start(bdf, &verdict);
	if (!is_vfio(f))
		check_bind(bdf);
	check_follow(bdf);
}

/* ---- vDPA devices */

static void check_vdpa_start(int i, const struct verdict *verdict)
{
	char path[128], node[32];

	snprintf(node, sizeof(node), "vhost-vdpa-%d", i);
	snprintf(path, sizeof(path), "%s/dev/%s", world_folder(), node);
	check_start(node, KIND_VDPA, path, verdict);
}

static void check_vdpa(int i)
{
	const struct world before = world;
	char name[NAME];
	struct verdict verdict;

	strcpy(name, world.vdpas[i].name);
	verdict = look(name, true);
	so(!verdict.n == world_vdpa_ready(&world.vdpas[i]), name, "it is %sready, and said is: %s",
		world_vdpa_ready(&world.vdpas[i]) ? "" : "not ", first_of(&verdict, name));
	check_vdpa_start(i, &verdict);
	follow(name, true);
	verdict = look(name, true);
	so(!verdict.n == world_vdpa_ready(&world.vdpas[i]), name, "after the advice: %s",
		first_of(&verdict, name));
	check_vdpa_start(i, &verdict);
	world_boot(&before);
}

static void hosts(unsigned part)
{
	log_init("", LOG_ERROR, 2);
	cr_redirect_stdout();
	world_begin();
	for (seed = part * HOSTS / PARTS; seed < (part + 1) * HOSTS / PARTS; seed++) {
		world_generate(seed);
		world_boot(&world);
		for (int i = 0; i < world.n_functions; i++)
			if (is_present(&world.functions[i]))
				check_function(&world.functions[i]);
		for (int i = 0; i < world.n_vdpas; i++)
			if (world_has_vdpa(&world.vdpas[i]))
				check_vdpa(i);
	}
	world_end();
}

/* None of what can stand in the way is left out of the hosts that are made. */
Test(host_property, every_obstacle_is_met, .timeout = 60)
{
	unsigned met[OBSTACLE_NO_RIGHT + 1] = {0}, advised[3] = {0}, ready = 0;

	world_begin();
	for (seed = 0; seed < HOSTS; seed++) {
		world_generate(seed);
		world_boot(&world);
		for (int i = 0; i < world.n_functions; i++) {
			struct verdict verdict = {0};

			if (is_present(&world.functions[i]))
				verdict = look(world.functions[i].bdf, false);
			ready += !verdict.n;
			for (unsigned k = 0; k < verdict.n; k++) {
				met[verdict.obstacles[k].kind]++;
				advised[verdict.obstacles[k].advice]++;
			}
		}
	}
	world_end();
	for (enum obstacle_kind kind = 0; kind <= OBSTACLE_NO_RIGHT; kind++)
		cr_expect_gt(met[kind], 5, "%s: %u times", obstacle_word(kind), met[kind]);
	for (enum advice advice = 0; advice < 3; advice++)
		cr_expect_gt(advised[advice], 100, "%s: %u times", advice_word(advice), advised[advice]);
	cr_expect_gt(ready, 100);
}

#define PART(n) \
	Test(host_property, hosts_##n, .timeout = 120) { hosts(n); }
PART(0) PART(1) PART(2) PART(3) PART(4) PART(5) PART(6) PART(7) PART(8) PART(9)
