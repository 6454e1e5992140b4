/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of layers: what is in it, what a missing one does, and that SECURITY.md shows it as it
 * is.
 *
 * links: seccomp/layers.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ipc/log.h"
#include "seccomp/layers.h"

static char page[65536];

static void read_page(void)
{
	FILE *file = fopen("SECURITY.md", "r");

	if (!file)
		cr_skip_test("SECURITY.md: %s; the tests run in the source tree", strerror(errno));
	cr_assert(fread(page, 1, sizeof(page) - 1, file) > 0);
	fclose(file);
}

Test(layers, security_md_has_every_row)
{
	char line[600];

	read_page();
	for (unsigned i = 0; i < LAYERS; i++) {
		const struct layer_row *row = &layers[i];

		snprintf(line, sizeof(line), "| %s | %s | %s | %s |\n", row->name,
			row->required ? "required" : "where it can be had", row->what, row->get);
		cr_expect(strstr(page, line), "SECURITY.md lacks: %s", line);
	}
}

Test(layers, every_layer_has_a_row)
{
	for (unsigned i = 0; i < LAYERS; i++) {
		cr_expect(layers[i].name && layers[i].what && layers[i].get, "layer %u", i);
		for (unsigned k = 0; k < i; k++)
			cr_expect(strcmp(layers[i].name, layers[k].name) != 0, "%s is there twice",
				layers[i].name);
	}
}

Test(layers, missing)
{
	struct err err = {0};

	cr_expect_eq(layer_missing(LAYER_MSEAL, -ENOSYS, &err, "x"), 0, "not required");
	cr_expect_eq(layer_missing(LAYER_ROOT, -EPERM, &err, "the cause"), -EPERM);
	cr_expect(strstr(err.msg, "root: missing (the cause)") &&
		strstr(err.msg, layers[LAYER_ROOT].get) && strstr(err.msg, "--allow-degraded"), "%s",
		err.msg);
	log_init("", LOG_ERROR, 2);
	layers_allow_degraded(true);
	cr_expect_eq(layer_missing(LAYER_ROOT, -EPERM, &err, "the cause"), 0);
}

/* The refusal names the next step whole: a struct err must have room for it. */
Test(layers, messages_fit)
{
	struct err err = {0};

	layers_allow_degraded(false);
	for (unsigned i = 0; i < LAYERS; i++)
		if (layer_missing(i, -EPERM, &err, "%s", "unshare: Operation not permitted") < 0)
			cr_expect(strstr(err.msg, "--allow-degraded"), "%s", err.msg);
}

/* Where AppArmor lets everybody have a user namespace and takes all capabilities in it, mounting is
 * the first thing that fails. */
Test(layers, ubuntus_apparmor_is_named_where_it_shows)
{
	cr_expect(strstr(layers[LAYER_ROOT].get, "kernel.apparmor_restrict_unprivileged_userns"));
	cr_expect(strstr(layers[LAYER_ROOT].get, "make install-apparmor"));
}

Test(layers, words)
{
	cr_expect(layers_parse("strict") == 0 && !layers_degraded());
	cr_expect(layers_parse("degraded") == 0 && layers_degraded());
	cr_expect(layers_parse("") < 0 && layers_parse("degrade") < 0 && !layers_degraded());
}
