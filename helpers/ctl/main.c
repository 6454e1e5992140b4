/* SPDX-License-Identifier: Apache-2.0
 *
 * `bulkhead ctl [--json] SOCKET CALL [JSON|-]`. bulkhead-ctl.
 *
 * `bulkhead ctl` becomes this program. A call is written as the API has it, vm.add-device, or without
 * what is before the dot; of the two that end something, shutdown is the VM's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "helpers/api/calls.h"
#include "helpers/ctl/ctl.h"
#include "ipc/log.h"

static const struct call_row *find(const char *name)
{
	for (unsigned i = 0; i < CALLS; i++)
		if (strcmp(calls[i].name, name) == 0)
			return &calls[i];
	for (unsigned i = CALLS; i-- > 0;) /* vm.shutdown before vmm.shutdown */
		if (strcmp(strchr(calls[i].name, '.') + 1, name) == 0)
			return &calls[i];
	return NULL;
}

/* The argument, or all of stdin. */
static int read_body(const char *given, const char **ret, size_t *ret_len, struct err *err)
{
	static char text[HTTP_BODY_MAX + 1];
	size_t len = 0;
	ssize_t n = 1;

	*ret = given;
	*ret_len = given ? strlen(given) : 0;
	if (!given || strcmp(given, "-") != 0)
		return 0;
	while (len < sizeof(text) && (n = read(0, text + len, sizeof(text) - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		return err_set(err, -errno, BLAME_HOST, "standard input: %s", strerror(errno));
	*ret = text;
	*ret_len = len;
	return 0;
}

static int run(const char *socket, const char *name, const char *given, bool json, struct err *err)
{
	static struct reply reply;
	const struct call_row *call = find(name);
	const char *body = NULL;
	char words[sizeof(err->msg)];
	size_t len = 0;
	int r;

	if (!call)
		return err_set(err, -EINVAL, BLAME_HOST, "%.40s: there is no such call; docs/api.md has "
			"them all", name);
	r = read_body(given, &body, &len, err);
	if (r == 0)
		r = ask(socket, call->method == HTTP_GET ? "GET" : "PUT", call->name, body, len, &reply,
			err);
	if (r < 0)
		return r;
	if (json && reply.len) {
		printf("%s\n", reply.body);
		fflush(stdout); /* before what is said of it */
	}
	if (reply.status < 200 || reply.status >= 300) {
		words_of(&reply, words, sizeof(words));
		return err_set(err, -EIO, BLAME_HOST, "%s: %s", call->name, words);
	}
	if (!json)
		show(call->name, &reply);
	return 0;
}

int main(int argc, char **argv)
{
	struct err err = {0};
	char *args[4] = {NULL};
	bool json = false;
	int n = 0, r;

	log_init("bulkhead", LOG_WARN, 2);
	for (int i = 1; i < argc && n < 4; i++) {
		if (strcmp(argv[i], "--json") == 0)
			json = true;
		else
			args[n++] = argv[i];
	}
	if (n < 2 || n > 3)
		r = err_set(&err, -EINVAL, BLAME_HOST, "usage: bulkhead ctl [--json] SOCKET CALL "
			"[JSON|-], as in: bulkhead ctl /run/vm.sock info");
	else
		r = run(args[0], args[1], args[2], json, &err);
	if (r == 0 && fflush(stdout) != 0)
		r = err_set(&err, -errno, BLAME_HOST, "standard output: %s", strerror(errno));
	if (r < 0)
		log_error("%s", err.msg);
	return r < 0;
}
