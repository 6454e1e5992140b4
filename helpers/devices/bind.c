/* SPDX-License-Identifier: Apache-2.0
 *
 * `bulkhead bind` and `bulkhead unbind`: which functions, in what order, and back again.
 * bulkhead-devices.
 *
 * Invariant: each function ends up either on the driver it was asked for or as it was found, with
 * driver_override as it was found; nothing is changed before everything was checked. One of us at a
 * time.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "helpers/devices/devices.h"
#include "ipc/log.h"

enum { AT_ONCE_MAX = 64 };

/* A function that is given to VFIO. */
struct gift {
	struct function f;
	struct record before;
	bool touched, recorded; /* by us */
	char driver[WORD];
};

static int begin(int root, int n, struct fd *ret_lock, struct err *err)
{
	if (n > AT_ONCE_MAX)
		return err_set(err, -E2BIG, BLAME_HOST,
			"%d devices at once are too many; name at most %d of them, and then the rest", n,
			AT_ONCE_MAX);
	return record_lock(root, ret_lock, err);
}

static int read_all(int root, char *const *names, int n, struct gift *ret, struct err *err)
{
	int r = 0;

	memset(ret, 0, (size_t)n * sizeof(*ret));
	for (int i = 0; i < n && r == 0; i++)
		r = pci_read(root, names[i], &ret[i].f, err);
	for (int i = 0; i < n && r == 0; i++)
		for (int k = 0; k < i && r == 0; k++)
			if (strcmp(ret[i].f.name, ret[k].f.name) == 0)
				r = err_set(err, -EINVAL, BLAME_HOST,
					"%s is named twice; once is enough", ret[i].f.name);
	return r;
}

/* What --force takes in spite of it: what the host does without, and comes back from. */
static bool may_be_forced(enum obstacle_kind kind)
{
	return kind == OBSTACLE_NETWORK || kind == OBSTACLE_CONSOLE || kind == OBSTACLE_OPEN;
}

static int may_bind(struct host *host, const struct function *f, bool force, struct err *err)
{
	struct verdict verdict;

	take_from_host(host, f, &verdict);
	for (unsigned i = 0; i < verdict.n; i++) {
		const struct obstacle *o = &verdict.obstacles[i];
		const bool forced = may_be_forced(o->kind);

		if (!forced || !force)
			return obstacle_keep(o, f->name, forced, -EBUSY, err);
	}
	return 0;
}

/* Before anything is changed: whether each may be taken, its disks held, and its driver there. */
static int prepare(struct host *host, struct gift *gifts, int n, bool force, struct claims *claims,
	struct err *err)
{
	char module[WORD];
	int r = 0;

	for (int i = 0; i < n && r == 0; i++)
		if (!gifts[i].f.vfio)
			r = may_bind(host, &gifts[i].f, force, err);
	for (int i = 0; i < n && r == 0; i++) {
		if (gifts[i].f.vfio)
			continue;
		r = claims_take(claims, host->root, &gifts[i].f, err);
		vfio_module_for(host->root, &gifts[i].f, module);
		if (r == 0 && strcmp(module, "vfio_pci") != 0 &&
			driver_load(host->root, module, gifts[i].driver, NULL) == 0)
			continue;
		if (r == 0)
			r = driver_load(host->root, "vfio_pci", gifts[i].driver, err);
	}
	return r;
}

/* A driver that knows the device may want more of it than there is, or of its physical function;
 * vfio-pci wants nothing. */
static int give(int root, struct gift *gift, struct err *err)
{
	const char *name = gift->f.name;
	char plain[WORD];
	int r;

	driver_state(root, name, &gift->before);
	r = record_write(root, name, &gift->before, err);
	if (r < 0)
		return r;
	gift->touched = true;
	gift->recorded = r == 0;
	r = driver_give(root, name, gift->driver, err);
	if (r == 0 || strcmp(gift->driver, "vfio-pci") == 0 ||
		driver_load(root, "vfio_pci", plain, NULL) < 0)
		return r;
	log_warn("%s: %s, which fits it best, did not take it; vfio-pci then", name, gift->driver);
	strcpy(gift->driver, plain);
	return driver_give(root, name, gift->driver, err);
}

static void undo(int root, const struct gift *gift)
{
	struct err err = {0};

	if (!gift->touched)
		return;
	if (driver_put_back(root, gift->f.name, &gift->before, &err) < 0)
		log_error("%s: not as it was: %s", gift->f.name, err.msg);
	else if (gift->recorded)
		record_remove(root, gift->f.name);
}

/* What still keeps it from a guest: others of its group. */
static void tell(int root, const struct gift *gift)
{
	struct host host = host_at(root);
	struct verdict verdict;
	char what[400];

	printf("%s: %s%s\n", gift->f.name, gift->f.vfio ? gift->f.driver : gift->driver,
		gift->f.vfio ? " has it already" : " has it");
	host.claimed = claim_refused;
	take_pci(&host, &gift->f, TAKE_IOMMUFD | TAKE_TYPE1, &verdict);
	host_close(&host);
	for (unsigned i = 0; i < verdict.n; i++) {
		const struct obstacle *o = &verdict.obstacles[i];
		const char *quote = o->advice == ADVICE_COMMAND ? "`" : "";

		if (o->kind != OBSTACLE_GROUP && strcmp(o->of, gift->f.name) == 0)
			continue;
		obstacle_what(o, gift->f.name, what, sizeof(what));
		printf("%s: %s; %s%s%s\n", gift->f.name, what, quote, o->next, quote);
	}
}

int bind_functions(int root, char *const *names, int n, bool force, struct err *err)
{
	static struct gift gifts[AT_ONCE_MAX];
	static struct claims claims;
	struct host host = host_at(root);
	fd_owned lock = FD_NONE_INIT;
	int r = begin(root, n, &lock, err);

	if (r < 0)
		return r;
	host.claimed = claim_refused;
	r = read_all(root, names, n, gifts, err);
	if (r == 0)
		r = prepare(&host, gifts, n, force, &claims, err);
	for (int i = 0; i < n && r == 0; i++)
		if (!gifts[i].f.vfio)
			r = give(root, &gifts[i], err);
	for (int i = n; r < 0 && i-- > 0;)
		undo(root, &gifts[i]);
	claims_drop(&claims);
	host_close(&host);
	for (int i = 0; i < n && r == 0; i++)
		tell(root, &gifts[i]);
	return r;
}

static int may_unbind(int root, const struct function *f, struct err *err)
{
	struct host host = host_at(root);
	struct verdict functions = {0};
	struct obstacle used;
	int r = 0;

	take_functions(&host, f, &functions);
	if (take_used(&host, f, &used))
		r = err_set(err, -EBUSY, BLAME_HOST,
			"%s is in use by process %.100s, and the kernel would wait for that; end "
			"its VM first", f->name, used.how);
	else if (functions.n)
		r = obstacle_refuse(&functions.obstacles[0], f->name, -EBUSY, err);
	host_close(&host);
	return r;
}

static int take_back(int root, const struct function *f, struct err *err)
{
	struct record record;
	int r = record_read(root, f->name, &record, err);

	if (f->driver[0] && !f->vfio) { /* somebody has undone it already */
		printf("%s: %s has it, which is not VFIO's: nothing to undo\n", f->name, f->driver);
		record_remove(root, f->name);
		return 0;
	}
	if (r == -ENOENT) /* not bound by bulkhead, or before a record was kept */
		r = driver_free(root, f->name, err);
	else if (r == 0)
		r = driver_put_back(root, f->name, &record, err);
	if (r < 0) {
		if (f->driver[0])
			driver_give(root, f->name, f->driver, NULL);
		return r;
	}
	record_remove(root, f->name);
	driver_state(root, f->name, &record);
	printf("%s: %s\n", f->name, record.driver[0] ? record.driver : "no driver");
	return 0;
}

int unbind_functions(int root, char *const *names, int n, struct err *err)
{
	static struct gift gifts[AT_ONCE_MAX];
	fd_owned lock = FD_NONE_INIT;
	int r = begin(root, n, &lock, err);

	if (r == 0)
		r = read_all(root, names, n, gifts, err);
	for (int i = 0; i < n && r == 0; i++)
		if (gifts[i].f.vfio)
			r = may_unbind(root, &gifts[i].f, err);
	for (int i = 0; i < n && r == 0; i++)
		r = take_back(root, &gifts[i].f, err);
	return r;
}
