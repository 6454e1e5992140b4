/* SPDX-License-Identifier: Apache-2.0
 *
 * The API's rows, walked for documentation. apidoc.
 */
#pragma once

#include "helpers/api/calls.h"
#include "helpers/api/fields.h"

enum { SCHEMAS_MAX = 64 };

struct schemas {
	const struct fields *seen[SCHEMAS_MAX];
	unsigned n;
};

/* Each kind of body once, and after it what is in it. */
void each_schema(void (*write)(const struct fields *fields, void *to), void *to);
void schema_and_below(const struct fields *fields, struct schemas *done,
	void (*write)(const struct fields *fields, void *to), void *to);

void markdown(void);
void openapi(void);
