/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls about the VM as a whole. bulkhead-api.
 */
#include "helpers/api/ops.h"

#include <errno.h>
#include <string.h>

#include "helpers/api/config.h"
#include "helpers/api/events.h"
#include "helpers/api/info.h"
#include "helpers/api/ops_device.h"
#include "helpers/api/reply.h"
#include "helpers/api/vm.h"

bool ops_quit;

#define ON(what) BULKHEAD__PACKET__BODY_##what

static int begin_ping(struct conn *conn, struct err *err)
{
	(void)err;
	reply_with(conn, info_ping(answer_body(&conn->answer), ANSWER_BODY));
	return 0;
}

static int begin_quit(struct conn *conn, struct err *err)
{
	return link_ask_plain(&opener, conn, ON(API_QUIT), err);
}

static void quit_answered(struct conn *conn, const struct msg *msg)
{
	(void)msg;
	reply_empty(conn, 200);
	ops_quit = true;
}

static int begin_delete(struct conn *conn, struct err *err)
{
	return link_ask_plain(&opener, conn, ON(API_DELETE), err);
}

static int begin_shutdown(struct conn *conn, struct err *err)
{
	return link_ask_plain(&opener, conn, ON(API_SHUTDOWN), err);
}

/* ---- create ---- */

static int tell_notes(struct err *err)
{
	enum { PIECE = 12 << 10 };
	const char *text = config_text();
	size_t total = strlen(text);

	for (size_t at = 0; at < total; at += PIECE) {
		Bulkhead__ApiNotes piece = BULKHEAD__API_NOTES__INIT;
		int r;

		piece.offset = (uint32_t)at;
		piece.total = (uint32_t)total;
		piece.part.data = (uint8_t *)(uintptr_t)(text + at);
		piece.part.len = total - at < PIECE ? total - at : PIECE;
		r = chan_tell(&opener.chan, &PACKET(API_NOTES, api_notes, &piece));
		if (r < 0)
			return err_set(err, r, BLAME_PEER, "the opener takes no message; try again");
	}
	return 0;
}

static int ask_create(struct conn *conn, const json_t *config, struct err *err)
{
	Bulkhead__ApiCreate create = BULKHEAD__API_CREATE__INIT;
	struct config_wire wire;
	int r = tell_notes(err);

	if (r < 0)
		return r;
	config_to_wire(config, &wire);
	create.config = &wire.config;
	create.devices = wire.pointers;
	create.n_devices = wire.n_devices;
	return link_ask(&opener, conn, &PACKET(API_CREATE, api_create, &create), NULL, 0, err);
}

/* The text is ours from here on, and nobody's while there is no VM. */
static int begin_create(struct conn *conn, struct err *err)
{
	json_t *config = reply_body(conn, err);
	int r;

	if (!config)
		return err->code;
	r = config_name_devices(config, err);
	if (r == 0)
		r = config_keep(config, err);
	if (r == 0)
		r = ask_create(conn, config, err);
	if (r < 0)
		config_clear();
	return r;
}

static bool create_refused(struct conn *conn, int code)
{
	(void)conn, (void)code;
	config_clear();
	return false;
}

/* ---- boot ---- */

static int begin_boot(struct conn *conn, struct err *err)
{
	int r = config_check(config_tree(), err);

	conn->request.step = vm.starts;
	vm.why[0] = '\0';
	return r == 0 ? link_ask_plain(&opener, conn, ON(API_BOOT), err) : r;
}

/* By the opener, who may know only that the core has ended. */
static bool boot_refused(struct conn *conn, int code)
{
	struct err err;

	if (!vm.why[0])
		return false;
	err_set(&err, code, BLAME_HOST, "%s", vm.why);
	reply_error(conn, &err);
	return true;
}

static void look_boot(struct conn *conn)
{
	struct err err;

	if (vm.starts != conn->request.step) {
		reply_done(conn); /* whatever has become of it since */
	} else if (vm_state() != VM_BOOTING) {
		err_set(&err, -EIO, BLAME_HOST, "%s", vm.why[0] ? vm.why
			: "it ended before the guest ran; see the log");
		reply_error(conn, &err);
	}
}

static void boot_answered(struct conn *conn, const struct msg *msg)
{
	(void)msg;
	conn->request.stage = REQUEST_HAPPENS;
	conn->request.due_ms = clock_ms() + BOOT_WAIT_MS;
	look_boot(conn);
}

/* ---- the VM that runs ---- */

static int begin_pause(struct conn *conn, struct err *err)
{
	int r = link_ask_plain(&core, conn, ON(LIFE_PAUSE), err);

	if (r == 0)
		EVENT("vm", "pausing");
	return r;
}

static int begin_resume(struct conn *conn, struct err *err)
{
	int r = link_ask_plain(&core, conn, ON(LIFE_RESUME), err);

	if (r == 0)
		EVENT("vm", "resuming");
	return r;
}

static int begin_reboot(struct conn *conn, struct err *err)
{
	return link_ask_plain(&core, conn, ON(LIFE_REBOOT), err);
}

static int begin_power(struct conn *conn, struct err *err)
{
	return link_ask_plain(&core, conn, ON(LIFE_POWER), err);
}

static int begin_nmi(struct conn *conn, struct err *err)
{
	return link_ask_plain(&core, conn, ON(LIFE_NMI), err);
}

static int begin_counters(struct conn *conn, struct err *err)
{
	return link_ask_plain(&core, conn, ON(LIFE_COUNTERS), err);
}

static void counters_answered(struct conn *conn, const struct msg *msg)
{
	reply_with(conn, info_counters(answer_body(&conn->answer), ANSWER_BODY,
		msg->packet->life_counters_are));
}

/* ---- info: as the core says if it does so at once, and else as it last did ---- */

static void reply_info(struct conn *conn)
{
	reply_with(conn, info_vm(answer_body(&conn->answer), ANSWER_BODY));
}

static void info_answered(struct conn *conn, const struct msg *msg)
{
	(void)msg; /* vm.c has taken it in */
	reply_info(conn);
}

static void look_info(struct conn *conn)
{
	if (!vm.unsure)
		reply_info(conn);
}

static int begin_info(struct conn *conn, struct err *err)
{
	static int64_t last;
	bool runs = vm_state() == VM_RUNNING || vm_state() == VM_PAUSED;
	int64_t now = clock_ms();

	if (vm.unsure) {
		conn->request.stage = REQUEST_HAPPENS;
		conn->request.due_ms = now + INFO_SURE_MS;
		return 0;
	}
	if (!runs || now - last < INFO_EVERY_MS ||
		link_ask_plain(&core, conn, ON(LIFE_INFO), err) < 0) {
		reply_info(conn);
		return 0;
	}
	last = now;
	conn->request.due_ms = now + INFO_WAIT_MS;
	return 0;
}

const struct op ops[CALLS] = {
	[CALL_PING] = {.begin = begin_ping},
	[CALL_QUIT] = {&opener, begin_quit, .answered = quit_answered},
	[CALL_CREATE] = {&opener, begin_create, .refused = create_refused},
	[CALL_BOOT] = {&opener, begin_boot, .answered = boot_answered, .refused = boot_refused,
		.look = look_boot},
	[CALL_DELETE] = {&opener, begin_delete},
	[CALL_SHUTDOWN] = {&opener, begin_shutdown},
	[CALL_REBOOT] = {&core, begin_reboot},
	[CALL_PAUSE] = {&core, begin_pause},
	[CALL_RESUME] = {&core, begin_resume},
	[CALL_POWER_BUTTON] = {&core, begin_power},
	[CALL_NMI] = {&core, begin_nmi},
	[CALL_INFO] = {.begin = begin_info, .answered = info_answered, .look = look_info,
		.late = reply_info},
	[CALL_COUNTERS] = {&core, begin_counters, .answered = counters_answered},
	[CALL_RESIZE] = {&opener, resize_begin, .answered = resize_answered},
	[CALL_ADD_DEVICE] = {&opener, add_begin, add_answered, .look = add_look},
	[CALL_ADD_VDPA] = {&opener, add_begin, add_answered, .look = add_look},
	[CALL_REMOVE_DEVICE] = {&opener, remove_begin, remove_answered, remove_refused},
};
