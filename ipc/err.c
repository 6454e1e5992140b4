/* SPDX-License-Identifier: Apache-2.0
 *
 * Filling a struct err. Every process, every thread; a message that does not fit is cut.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ipc/err.h"

int err_set(struct err *err, int code, enum blame blame, const char *fmt, ...)
{
	va_list args;

	if (!err)
		return code;
	err->code = code;
	err->blame = blame;
	va_start(args, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);
	return code;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char said[sizeof(err->msg)];
	va_list args;
	int n;

	memcpy(said, err->msg, sizeof(said));
	said[sizeof(said) - 1] = '\0';
	va_start(args, fmt);
	n = vsnprintf(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);
	if (n >= 0 && (size_t)n < sizeof(err->msg))
		snprintf(err->msg + n, sizeof(err->msg) - (size_t)n, ": %s", said);
	return err->code;
}
