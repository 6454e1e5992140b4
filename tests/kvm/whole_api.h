/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of the whole program with an API: build/bulkhead on a socket, a client of it, the VM's
 * processes, and what the guest prints, which goes to a file over all its lives.
 */
#pragma once

#include <jansson.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ipc/frame.h"
#include "tests/kvm/process.h"

enum { PATIENCE_MS = 60000 }; /* nobody is that late, on the busiest of machines */

static struct {
	char socket[64], serial[64], events[64];
	int conn;
	char heard[64 << 10]; /* the answer */
	char body[1024];      /* of vm.create */
} api;

/* ---- a client ----------------------------------------------------------------------------------- */

static inline int connect_to(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const int64_t end = now_ms() + PATIENCE_MS;
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(at.sun_path, path);
	while (connect(sock, (void *)&at, sizeof(at)) < 0) {
		cr_assert(now_ms() < end, "%s: %s", path, strerror(errno));
		usleep(5000);
	}
	return sock;
}

static inline bool only_looks(const char *call)
{
	return strcmp(call, "vmm.ping") == 0 || strcmp(call, "vm.info") == 0 ||
		strcmp(call, "vm.counters") == 0;
}

static inline void ask(int sock, const char *call, const char *body)
{
	char text[2048];
	int n = snprintf(text, sizeof(text), "%s /api/v1/%s HTTP/1.1\r\nHost: localhost\r\n",
		only_looks(call) ? "GET" : "PUT", call);

	if (body)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "Content-Length: %zu\r\n\r\n%s",
			strlen(body), body);
	else
		n += snprintf(text + n, sizeof(text) - (size_t)n, "\r\n");
	cr_assert_eq(send(sock, text, (size_t)n, MSG_NOSIGNAL), n, "%s: %s", call, strerror(errno));
}

/* 0: not yet whole. */
static inline size_t answer_length(void)
{
	const char *end = strstr(api.heard, "\r\n\r\n"), *length = strstr(api.heard, "Content-Length: ");

	return !end ? 0 : (size_t)(end + 4 - api.heard) +
		(length && length < end ? strtoul(length + 16, NULL, 10) : 0);
}

/* Its status; what the program says meanwhile is read, so that it is never held up. */
static inline int hear(int sock)
{
	const int64_t end = now_ms() + PATIENCE_MS;
	size_t len = 0, whole;
	int status = 0;

	api.heard[0] = '\0';
	while (!(whole = answer_length()) || len < whole) {
		struct pollfd p = {.fd = sock, .events = POLLIN};
		ssize_t n;

		read_there_is();
		cr_assert(now_ms() < end, "no answer: %s", run.err_text);
		if (poll(&p, 1, 50) <= 0)
			continue;
		n = recv(sock, api.heard + len, whole ? whole - len : 1, 0);
		cr_assert_gt(n, 0, "hung up: «%s»: %s", api.heard, run.err_text);
		len += (size_t)n;
		api.heard[len] = '\0';
	}
	cr_assert_eq(sscanf(api.heard, "HTTP/1.1 %d", &status), 1, "%s", api.heard);
	return status;
}

static inline int call_with(const char *call, const char *body)
{
	ask(api.conn, call, body);
	return hear(api.conn);
}

#define EXPECT_WITH(call, body, status)                                                            \
	do {                                                                                       \
		int is_ = call_with(call, body);                                                   \
		cr_assert_eq(is_, status, "%s: %d: %s\n%s", call, is_, api.heard, run.err_text);   \
	} while (0)
#define EXPECT(call, status) EXPECT_WITH(call, NULL, status)
/* And why. */
#define EXPECT_WHY(call, status, why)                                                              \
	do {                                                                                       \
		EXPECT(call, status);                                                              \
		cr_expect(strstr(api.heard, why), "%s: no «%s»: %s", call, why, api.heard);        \
	} while (0)

/* vm.info's state; "": there is no VM. */
static inline const char *state(void)
{
	static char word[16];
	int status = call_with("vm.info", NULL);
	const char *at = strstr(api.heard, "\"state\":\"");

	word[0] = '\0';
	if (status == 200)
		cr_assert(at && sscanf(at + 9, "%15[A-Za-z]", word) == 1, "%s", api.heard);
	else
		cr_assert(status == 404 && strstr(api.heard, "VM is not created"), "%s", api.heard);
	return word;
}

static inline void expect_state(const char *want)
{
	const char *is = state();

	cr_assert_str_eq(is, want, "it is «%s», not «%s»: %s", is, want, run.err_text);
}

static inline void await_state_is(const char *want)
{
	const int64_t end = now_ms() + PATIENCE_MS;

	while (strcmp(state(), want) != 0) {
		cr_assert(now_ms() < end, "it is not %s: %s", want, run.err_text);
		usleep(10000);
	}
}

/* ---- the program -------------------------------------------------------------------------------- */

static inline const char *named(char ret[static 64], const char *end)
{
	snprintf(ret, 64, "%.40s.%s", kernel, end);
	return ret;
}

static inline void set_body(const char *path)
{
	snprintf(api.body, sizeof(api.body), "{\"payload\":{\"kernel\":\"%s\"},\"memory\":{\"size\":%d},"
		"\"serial\":{\"mode\":\"File\",\"file\":\"%s\"},\"console\":{\"mode\":\"Off\"}}", path,
		32 << 20, api.serial);
}

/* Options more, after those that every one has; and a client. */
static inline void start_with(const uint8_t *code, size_t len, const char *more)
{
	char options[600];
	int fd;

	strcpy(strrchr(kernel, '-'), "-XXXXXX");
	make_kernel(code, len);
	named(api.socket, "sock");
	named(api.events, "events");
	fd = open(named(api.serial, "serial"), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	cr_assert(fd >= 0 && fchmod(fd, 0666) == 0); /* whoever the VM's user is */
	close(fd);
	set_body(kernel);
	snprintf(options, sizeof(options), "--api-socket path=%s --event-monitor path=%s --allow ro=%s "
		"--allow serial=%s %s", api.socket, api.events, kernel, api.serial, more);
	start(options, -1, 0);
	api.conn = connect_to(api.socket);
}

/* No VM: that is a client's to create. */
static inline void start_api(const uint8_t *code, size_t len, const char *more)
{
	bare = true;
	start_with(code, len, more);
}

/* The command line's own VM. */
static inline void start_running(const uint8_t *code, size_t len, const char *more)
{
	char options[200];

	strcpy(strrchr(kernel, '-'), "-XXXXXX");
	snprintf(options, sizeof(options), "--serial tty %s", more);
	bare = false;
	start_with(code, len, options);
}

static inline const char *text_of(const char *path)
{
	static char text[32 << 10];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	close(fd);
	return text;
}

static inline void await_text(const char *path, const char *want)
{
	const int64_t end = now_ms() + PATIENCE_MS;

	while (!strstr(text_of(path), want)) {
		cr_assert(now_ms() < end, "«%s» does not come: «%s»: %s", want, text_of(path),
			run.err_text);
		usleep(5000);
		read_there_is();
	}
}

/* All that the guests have printed, in all their lives. */
static inline void await_printed(const char *want)
{
	await_text(api.serial, want);
	cr_assert_str_eq(text_of(api.serial), want);
}

static inline void create_and_boot(void)
{
	EXPECT_WITH("vm.create", api.body, 204);
	EXPECT("vm.boot", 204);
}

static inline void tidy_up(void)
{
	close(api.conn);
	cr_expect(access(api.socket, F_OK) < 0, "%s stays", api.socket);
	unlink(api.serial);
	unlink(api.events);
}

/* Whatever ended it. */
static inline void ends_with(int status)
{
	finish(status);
	tidy_up();
}

static inline void quit(void)
{
	EXPECT("vmm.shutdown", 200);
	ends_with(0);
}

/* ---- its processes ------------------------------------------------------------------------------ */

/* "api core open": those there are, in that order, one of each; zombies as "?". */
static inline void expect_processes(const char *want)
{
	static const char *const kinds[] = {"api", "broker", "core", "null", "open"};
	char is[128] = "", path[64];
	struct dirent *d;
	DIR *proc = opendir("/proc");

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (child_of(kinds[i], 0))
			snprintf(is + strlen(is), sizeof(is) - strlen(is), "%s%s", is[0] ? " " : "",
				kinds[i]);
	while ((d = readdir(proc)) != NULL) {
		pid_t pid = (pid_t)atoi(d->d_name);

		snprintf(path, sizeof(path), "/proc/%d", pid);
		if (pid > 0 && pid != run.pid && getsid(pid) == run.pid && state_of(pid) == 'Z')
			strcat(is, " ?");
	}
	closedir(proc);
	cr_expect_str_eq(is, want, "there are «%s», not «%s»: %s", is, want, run.err_text);
}

static inline pid_t await_other(const char *kind, pid_t old)
{
	const int64_t end = now_ms() + PATIENCE_MS;
	pid_t pid;

	while ((pid = child_of(kind, 0)) == 0 || pid == old) {
		cr_assert(now_ms() < end, "no new %s: %s", kind, run.err_text);
		usleep(2000);
	}
	return pid;
}
