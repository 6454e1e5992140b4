/* SPDX-License-Identifier: Apache-2.0
 *
 * What a double was asked, as text: each call adds a word, expect() compares all of them and begins
 * anew.
 */
#pragma once

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char trace[4096];

static inline void traced(const char *fmt, ...)
{
	size_t n = strlen(trace);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(trace + n, sizeof(trace) - n, fmt, ap);
	va_end(ap);
}

#define expect(what)                                                                               \
	do {                                                                                       \
		cr_assert_str_eq(trace, what);                                                     \
		trace[0] = '\0';                                                                   \
	} while (0)
