/* SPDX-License-Identifier: Apache-2.0
 *
 * Which walls stand behind which: every attempt with none of its walls gone, with the first, with
 * the first two, and so on, and with all but one. Harness process.
 *
 * A configuration is a set of walls that are gone. Attempts that want the same one share its VMs,
 * so the whole matrix takes a few dozen, besides those that a killed process ends.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/breakout/matrix.h"

enum { CASES_MAX = 4096 };

/* One attempt in one configuration. */
struct trial_case {
	int attempt, want, got;
	unsigned removed;
	bool done;
};

static struct trial_case cases[CASES_MAX];
static unsigned n_cases;

static bool removable(enum wall wall)
{
	return wall > WALL_NONE && wall < WALLS_REMOVABLE;
}

static unsigned n_stops(const struct attempt *attempt)
{
	unsigned n = 0;

	while (n < STOPS_MAX && attempt->stops[n].wall != WALL_NONE)
		n++;
	return n;
}

/* A wall this kernel has not is none. */
static unsigned stops_here(const struct attempt *attempt, unsigned missing,
	struct stop ret[static STOPS_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_stops(attempt); i++)
		if (!(missing >> attempt->stops[i].wall & 1))
			ret[n++] = attempt->stops[i];
	return n;
}

static void add_case(int attempt, unsigned gone, int want)
{
	for (unsigned i = 0; i < n_cases; i++)
		if (cases[i].attempt == attempt && cases[i].removed == gone)
			return;
	if (n_cases < CASES_MAX)
		cases[n_cases++] = (struct trial_case){attempt, want, UNTRIED, gone, false};
}

static void add_cases(int index, unsigned missing)
{
	const struct attempt *attempt = &attempts[index];
	struct stop stops[STOPS_MAX];
	unsigned n = stops_here(attempt, missing, stops), gone = 0, all = 0;

	for (unsigned i = 0; i < n; i++)
		all |= removable(stops[i].wall) ? 1u << stops[i].wall : 0;
	for (unsigned i = 0; i < n; i++) {
		add_case(index, gone, stops[i].result);
		if (!removable(stops[i].wall))
			return;
		gone |= 1u << stops[i].wall;
	}
	add_case(index, gone, attempt->end);
	for (unsigned i = 1; i < n; i++) /* each but the first by itself */
		add_case(index, all & ~(1u << stops[i].wall), stops[i].result);
}

/* All cases of one configuration, at once. */
static void run_configuration(enum who who, unsigned gone)
{
	int list[TODO_MAX] = {0}, at[TODO_MAX], results[TODO_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < n_cases && n < TODO_MAX; i++) {
		if (cases[i].done || cases[i].removed != gone)
			continue;
		list[n] = cases[i].attempt;
		at[n++] = (int)i;
	}
	trial(who, gone, list, n, results);
	for (unsigned i = 0; i < n; i++) {
		cases[at[i]].got = results[i];
		cases[at[i]].done = true;
	}
}

static bool as_wanted(const struct trial_case *c)
{
	return c->got != UNTRIED && c->got != TRYING &&
		(c->want == ANY || c->got == c->want || (c->want == THROUGH && c->got > 0));
}

static const struct trial_case *find(int attempt, unsigned gone)
{
	for (unsigned i = 0; i < n_cases; i++)
		if (cases[i].attempt == attempt && cases[i].removed == gone)
			return &cases[i];
	return NULL;
}

/* "seccomp (SIGSYS), empty root (ENOENT), Landlock (EACCES)": what each case gave, in order. */
static void print_row(FILE *to, enum who who, int index, unsigned missing)
{
	const struct attempt *attempt = &attempts[index];
	struct stop stops[STOPS_MAX];
	unsigned n = stops_here(attempt, missing, stops), gone = 0;
	const struct trial_case *c;

	fprintf(to, "%u|%s|%s|", attempt->scenario, who_name(who), attempt->what);
	for (unsigned i = 0; i < n; i++) {
		c = find(index, gone);
		fprintf(to, "%s%s %s", i ? ", " : "", wall_name(stops[i].wall),
			c ? result_name(c->got) : "?");
		if (!removable(stops[i].wall))
			break;
		gone |= 1u << stops[i].wall;
	}
	if (n == 0)
		fprintf(to, "nothing: %s", attempt->why);
	c = find(index, gone);
	fprintf(to, "|%s\n", n && !removable(stops[n - 1].wall) ? "stays"
		: c ? result_name(c->got) : "?");
}

static unsigned print_bad(enum who who)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < n_cases; i++) {
		const struct trial_case *c = &cases[i];
		char want[64];

		if (as_wanted(c))
			continue;
		bad++;
		snprintf(want, sizeof(want), "%s", result_by(c->want));
		printf("# %s, %s:", who_name(who), attempts[c->attempt].what);
		for (unsigned w = 1; w < WALLS_REMOVABLE; w++)
			if (c->removed >> w & 1)
				printf(" -%s", wall_name((enum wall)w));
		printf(": %s, not %s\n", result_by(c->got), want);
	}
	return bad;
}

unsigned matrix_of(enum who who, unsigned missing, unsigned only, FILE *rows)
{
	bool made[TODO_MAX] = {false};

	n_cases = 0;
	for (unsigned i = 0; i < n_attempts; i++) {
		made[i] = (attempts[i].who & who) && (!only || attempts[i].scenario == only) &&
			is_there(&attempts[i]);
		if (made[i])
			add_cases((int)i, missing);
	}
	for (unsigned i = 0; i < n_cases; i++)
		if (!cases[i].done)
			run_configuration(who, cases[i].removed);
	for (unsigned i = 0; i < n_attempts; i++)
		if (made[i])
			print_row(rows, who, (int)i, missing);
	return print_bad(who);
}
