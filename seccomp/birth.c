/* SPDX-License-Identifier: Apache-2.0
 *
 * The words a process is born with. Launcher, and every process first thing.
 */
#include "seccomp/birth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "seccomp/layers.h"

enum { LEVEL, MODE, LAYERS_WORD, NUMBER, BARE };

void birth_write(const struct birth *birth, char words[BIRTH_WORDS][BIRTH_WORD_MAX],
	char *ret_argv[BIRTH_WORDS + 1])
{
	unsigned n = birth->bare ? BARE + 1 : BARE;

	snprintf(words[LEVEL], BIRTH_WORD_MAX, "%d", (int)birth->level);
	snprintf(words[MODE], BIRTH_WORD_MAX, "%s", policy_mode_name(birth->mode));
	snprintf(words[LAYERS_WORD], BIRTH_WORD_MAX, "%s", birth->degraded ? "degraded" : "strict");
	snprintf(words[NUMBER], BIRTH_WORD_MAX, "%u", birth->number);
	snprintf(words[BARE], BIRTH_WORD_MAX, "bare");
	for (unsigned i = 0; i < n; i++)
		ret_argv[i] = words[i];
	ret_argv[n] = NULL;
}

int birth_read(int argc, char **argv, struct birth *ret, struct err *err)
{
	bool bare = argc == 1 + BIRTH_WORDS && strcmp(argv[1 + BARE], "bare") == 0;

	*ret = (struct birth){.bare = bare};
	if (argc != 1 + BARE + bare || policy_mode_parse(argv[1 + MODE], &ret->mode) < 0 ||
		layers_parse(argv[1 + LAYERS_WORD]) < 0)
		return err_set(err, -EINVAL, BLAME_HOST, "started by hand? usage: %s LOG-LEVEL "
			"true|log|false strict|degraded NUMBER [bare], by bulkhead",
			argc ? argv[0] : "");
	/* Who execs by descriptor is called by its number before Linux 6.14 (fs/exec.c, begin_new_exec). */
	prctl(PR_SET_NAME, argv[0], 0, 0, 0);
	ret->level = (enum log_level)atoi(argv[1 + LEVEL]);
	ret->degraded = layers_degraded();
	ret->number = (unsigned)atoi(argv[1 + NUMBER]);
	return 0;
}
