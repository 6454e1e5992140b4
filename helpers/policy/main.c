/* SPDX-License-Identifier: Apache-2.0
 *
 * `bulkhead seccomp`: show, export and run for people; watch for the launcher, with --seccomp log.
 *
 * bulkhead-policy, one thread, with the rights of whoever started it. Ends with 1 when it refuses;
 * `run` ends as its command did, and by SIGSYS when the policy forbade a call.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helpers/policy/tool.h"
#include "ipc/fd.h"
#include "ipc/log.h"

enum { STATUS_REFUSED = 1, STATUS_NO_COMMAND = 127, WATCH_FD_READY = 3 };

static const char usage[] =
	"usage: bulkhead seccomp show [PROCESS[:STAGE]]\n"
	"           the policy as a table; of all processes without PROCESS\n"
	"       bulkhead seccomp export [--pid N] PROCESS[:STAGE] FILE\n"
	"           FILE gets the filter as the kernel does (struct sock_filter), FILE.pfc it\n"
	"           as text; N: the pid of who is to load it, for rows about that (default 1)\n"
	"       bulkhead seccomp run [--log] PROCESS[:STAGE] -- COMMAND [ARGUMENT...]\n"
	"           COMMAND under the policy: dies by SIGSYS at the first call it forbids;\n"
	"           --log: lets all pass, and lists them at the end\n"
	"PROCESS is launch, vcpu, core, broker, vfio, vdpa or null; STAGE is setup or run (default run).\n";

static int refuse_usage(struct err *err)
{
	fputs(usage, stderr);
	return err_set(err, -EINVAL, BLAME_HOST, "see above for what can be asked");
}

/* ---- show ----------------------------------------------------------------------------------- */

static int show(int argc, char **argv, struct err *err)
{
	const struct policy *policy;
	unsigned shown = 0;

	if (argc > 1)
		return refuse_usage(err);
	if (argc == 0) {
		show_all();
		return 0;
	}
	for (const struct policy *const *p = policies; *p && !strchr(argv[0], ':'); p++) {
		if (strcmp((*p)->process, argv[0]) == 0) {
			show_policy(*p);
			shown++;
		}
	}
	if (shown)
		return 0;
	if (policy_by_name(argv[0], "run", &policy, err) < 0)
		return err->code;
	show_policy(policy);
	return 0;
}

/* ---- export --------------------------------------------------------------------------------- */

static int export_as(const struct policy *policy, enum policy_format format, int pid,
	const char *path, struct err *err)
{
	fd_owned fd = {open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
	int r;

	if (fd.n < 0)
		return err_set(err, -errno, BLAME_HOST, "%s: %s", path, strerror(errno));
	r = policy_export(policy, format, pid, fd.n);
	if (r < 0)
		return err_set(err, r, BLAME_HOST, "%s: %s; is the disk full?", path,
			strerror(-r));
	return 0;
}

static int export(int argc, char **argv, struct err *err)
{
	const struct policy *policy;
	char text[PATH_MAX], *end;
	long pid = 1;

	if (argc == 4 && strcmp(argv[0], "--pid") == 0) {
		pid = strtol(argv[1], &end, 10);
		if (*end || end == argv[1] || pid < 1 || pid > INT_MAX)
			return err_set(err, -EINVAL, BLAME_HOST, "--pid %s: not a pid", argv[1]);
		argc -= 2;
		argv += 2;
	}
	if (argc != 2)
		return refuse_usage(err);
	if (policy_by_name(argv[0], "run", &policy, err) < 0)
		return err->code;
	if (snprintf(text, sizeof(text), "%s.pfc", argv[1]) >= (int)sizeof(text))
		return err_set(err, -ENAMETOOLONG, BLAME_HOST, "%s: the name is too long", argv[1]);
	if (export_as(policy, POLICY_BPF, (int)pid, argv[1], err) < 0 ||
		export_as(policy, POLICY_PFC, (int)pid, text, err) < 0)
		return err->code;
	return 0;
}

/* ---- run ------------------------------------------------------------------------------------ */

/* Under the policy in log mode, so that its verdicts come to the tracer, which is what kills. Waits
 * for the tracer first: without one the calls would fail instead. */
static void __attribute__((noreturn)) become_command(const struct policy *policy, char **command,
	int gate)
{
	struct err err = {0};
	char go;

	if (read(gate, &go, 1) != 1)
		_exit(STATUS_NO_COMMAND);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		err_set(&err, -errno, BLAME_HOST, "no_new_privs: %s", strerror(errno));
	} else if (policy_enter(policy, SECCOMP_MODE_LOG, false, &err) == 0) {
		execvp(command[0], command);
		err_set(&err, -errno, BLAME_HOST, "%s: %s", command[0], strerror(errno));
	}
	log_error("%s", err.msg);
	_exit(STATUS_NO_COMMAND);
}

/* Returns the child, with its tracer attached and its gate open; or -errno. */
static pid_t start_command(const struct policy *policy, struct watch *watch, char **command,
	struct err *err)
{
	int gate[2];

	if (pipe2(gate, O_CLOEXEC) < 0)
		return err_set(err, -errno, BLAME_HOST, "pipe: %s", strerror(errno));
	watch->leader = fork();
	if (watch->leader == 0) {
		close(gate[1]);
		become_command(policy, command, gate[0]);
	}
	close(gate[0]);
	if (watch->leader < 0)
		err_set(err, -errno, BLAME_HOST, "fork: %s", strerror(errno));
	else if (watch_attach(watch, err) == 0 && write(gate[1], "", 1) == 1)
		err->code = 0;
	close(gate[1]);
	return err->code < 0 ? err->code : watch->leader;
}

static void __attribute__((noreturn)) end_like(int status)
{
	if (WIFSIGNALED(status)) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_REFUSED);
}

static int run(int argc, char **argv, struct err *err)
{
	struct watch watch = {.kill = true};
	const struct policy *policy;
	int status;

	if (argc > 0 && strcmp(argv[0], "--log") == 0) {
		watch.kill = false;
		argc--;
		argv++;
	}
	if (argc < 3 || strcmp(argv[1], "--") != 0)
		return refuse_usage(err);
#ifdef BULKHEAD_SANITIZER
	return err_set(err, -ENOTSUP, BLAME_HOST, "run: a sanitizer build loads no policy; use a "
		"plain build");
#endif
	if (policy_by_name(argv[0], "run", &policy, err) < 0)
		return err->code;
	watch.name = argv[2];
	if (start_command(policy, &watch, argv + 2, err) < 0)
		return err->code;
	signal(SIGINT, SIG_IGN); /* the command's, to end of or not */
	signal(SIGQUIT, SIG_IGN);
	if (watch_run(&watch, &status) == WATCH_KILLED)
		status = SIGSYS;
	end_like(status);
}

/* ---- watch, by the core --------------------------------------------------------------------- */

static int watch(int argc, char **argv, struct err *err)
{
	struct watch watch = {.name = "the core", .begun = true};
	int status;

	if (argc != 2)
		return refuse_usage(err);
	watch.leader = (pid_t)atoi(argv[0]);
	watch.rows = atoi(argv[1]) >= LOG_DEBUG;
	if (watch_attach(&watch, err) < 0)
		return err->code;
	if (write(WATCH_FD_READY, "", 1) != 1)
		return err_set(err, -EPIPE, BLAME_HOST, "started by hand? `watch` is the core's");
	close(WATCH_FD_READY);
	watch_run(&watch, &status);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*act)(int argc, char **argv, struct err *err);
	} acts[] = {{"show", show}, {"export", export}, {"run", run}, {"watch", watch}};
	struct err err = {0};
	int r = 1;

	log_init("bulkhead seccomp", LOG_ERROR, STDERR_FILENO);
	for (unsigned i = 0; argc > 1 && i < sizeof(acts) / sizeof(acts[0]); i++)
		if (strcmp(argv[1], acts[i].name) == 0)
			r = acts[i].act(argc - 2, argv + 2, &err);
	if (r == 1)
		r = refuse_usage(&err);
	if (r < 0)
		log_error("%s", err.msg);
	return r < 0 ? STATUS_REFUSED : 0;
}
