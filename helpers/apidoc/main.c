/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes docs/api.md and docs/openapi.json from the rows the api itself works by (`make api-docs`).
 * Runs where bulkhead is built, and is in no process of a VM.
 *
 * usage: apidoc md|openapi
 */
#include <stdio.h>
#include <string.h>

#include "helpers/apidoc/apidoc.h"

void each_schema(void (*write)(const struct fields *fields, void *to), void *to)
{
	struct schemas done = {0};

	for (unsigned i = 0; i < CALLS; i++)
		if (calls[i].fields)
			schema_and_below(calls[i].fields, &done, write, to);
}

void schema_and_below(const struct fields *fields, struct schemas *done,
	void (*write)(const struct fields *fields, void *to), void *to)
{
	for (unsigned i = 0; i < done->n; i++)
		if (done->seen[i] == fields)
			return;
	done->seen[done->n++] = fields;
	write(fields, to);
	for (const struct field *f = fields->rows; f->name; f++)
		if (f->of)
			schema_and_below(f->of, done, write, to);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "md") == 0)
		markdown();
	else if (argc == 2 && strcmp(argv[1], "openapi") == 0)
		openapi();
	else
		return 1;
	return fflush(stdout) != 0;
}
