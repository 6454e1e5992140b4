/* SPDX-License-Identifier: Apache-2.0
 *
 * The opener's life. Opener process, one thread.
 *
 *   1. argv                 needs: the words of birth.h, and behind them the operator's own
 *   2. processes            started by the launcher's hand while we look at the host
 *   3. files, devices       opened with the operator's rights; what is refused ends us, and all
 *   4. the end              core and broker have everything, and who of them has ended ends us, too; or,
 *                           with an API:
 *   5. walls                the VM's user, and nothing to be opened but what --allow names
 *   6. serve                the api's asks, one at a time, until everything is to end
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "helpers/open/vm.h"
#include "ipc/log.h"
#include "seccomp/birth.h"

enum { ENDED_MS = 10000 };

static void begin(struct opening *opening, struct vm *vm)
{
	*opening = (struct opening){.root = FD_NONE_INIT, .kvm = FD_NONE_INIT, .iommufd = FD_NONE_INIT, .out = FD_NONE_INIT,
		.container = FD_NONE_INIT, .core.sock = FD_NONE_INIT, .broker.sock = FD_NONE_INIT,
		.files = {FD_NONE_INIT, FD_NONE_INIT, FD_NONE_INIT, FD_NONE_INIT, FD_NONE_INIT},
		.serial = {FD_NONE_INIT, FD_NONE_INIT, ""}, .console = {FD_NONE_INIT, FD_NONE_INIT, ""}};
	*vm = (struct vm){.opening = opening, .api.sock = FD_NONE_INIT, .report = FD_NONE_INIT, .pidfd = FD_NONE_INIT,
		.argv_time = true, .began_ms = now_ms()};
}

/* With the operator's rights: what argv names, and what every life of an API's needs. */
static int at_argv_time(struct vm *vm, struct err *err)
{
	struct opening *opening = vm->opening;
	int r = 0;

	opening->root.n = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (opening->root.n < 0)
		return err_set(err, -errno, BLAME_HOST, "/: %s", strerror(errno));
	if (opts_has_api(&opening->argv)) {
		r = allow_pin(opening, err);
		if (r == 0)
			r = out_open(opening, err);
	}
	if (r == 0)
		r = kvm_open(&opening->kvm, err);
	if (r == 0)
		r = config_from_argv(opening, err);
	return r < 0 || !opening->opts.kernel ? r : serve_argv(vm, err);
}

static int open_and_serve(struct vm *vm, const struct birth *birth, struct err *err)
{
	struct opening *opening = vm->opening;
	int r = at_argv_time(vm, err);

	if (r < 0 || !opts_has_api(&opening->argv))
		return r;
	r = walls_up(opening, birth, err);
	if (r < 0)
		return r;
	vm->argv_time = false;
	opening->walled = true;
	serve_api(vm);
	return 0;
}

int main(int argc, char **argv)
{
	static struct opening opening;
	static struct vm vm;
	struct err err = {0};
	struct birth birth;
	int r;

	log_init("bulkhead-open", LOG_WARN, BIRTH_FD_LOG);
	begin(&opening, &vm);
	r = birth_read(argc < BIRTH_WORDS ? argc : BIRTH_WORDS, argv, &birth, &err);
	/* It is the user's own words that are looked at here. */
	log_init("bulkhead", birth.level, BIRTH_FD_LOG);
	if (r == 0)
		r = confine_with_parent(getppid(), &err);
	if (r == 0)
		r = opts_parse(argc - BIRTH_WORDS + 1, argv + BIRTH_WORDS - 1, &opening.argv, &err);
	if (r == 0)
		r = open_and_serve(&vm, &birth, &err);
	if (r == -EPIPE) /* who has ended has said why; that ends us, by the launcher's hand, or its end */
		poll_ms(&(struct pollfd){.fd = BIRTH_FD_WORDS}, 1, ENDED_MS);
	if (r < 0 && err.msg[0])
		log_error("%s", err.msg);
	return r < 0;
}
