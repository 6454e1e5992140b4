/* SPDX-License-Identifier: Apache-2.0
 *
 * The order in which things are done. bulkhead-api, its one thread.
 *
 * A request that may not be begun in the VM's state, or whose turn has not come, waits on its
 * connection, which reads no more meanwhile. What is asked of opener and core is asked one at a time
 * each; what only looks is answered past both.
 */
#include "helpers/api/serve.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "helpers/api/config.h"
#include "helpers/api/fields.h"
#include "helpers/api/json.h"
#include "helpers/api/ops.h"
#include "helpers/api/reply.h"
#include "helpers/api/vm.h"
#include "ipc/log.h"

static bool core_is_new;

/* ---- a request comes ---- */

/* Cloud Hypervisor's own handlers answer another method with words, its table of actions without. */
static bool has_own_handler(int call)
{
	return call == CALL_PING || call == CALL_QUIT || call == CALL_CREATE || call == CALL_INFO;
}

static void wrong_method(struct conn *conn, int call)
{
	bool other = conn->http.method != HTTP_GET && conn->http.method != HTTP_PUT;

	if (other && !has_own_handler(call))
		reply_empty(conn, 400);
	else
		reply_words(conn, 400, "Bad Request");
}

static bool body_is_wrong(const struct conn *conn, const struct call_row *call)
{
	return (call->body == BODY_NONE && conn->body_len) ||
		(call->body == BODY_WANTED && !conn->body_len);
}

/* Whether it can be read at all is said in every state. */
static bool form_is_wrong(struct conn *conn, const struct call_row *call)
{
	struct err err = {0};
	char words[sizeof(err.msg) + 40];

	if (call->body != BODY_WANTED || reply_body(conn, &err))
		return false;
	snprintf(words, sizeof(words), "Failed to deserialize JSON\n%s", err.msg);
	reply_words(conn, 400, words);
	return true;
}

void serve_request(struct conn *conn)
{
	static uint64_t count;
	int found = call_find(conn->http.path);
	const struct call_row *call = found >= 0 ? &calls[found] : NULL;

	conn->request = (struct request){.call = found, .stage = REQUEST_WAITS, .arrived = ++count};
	if (!call)
		reply_words(conn, 404, "Not Found");
	else if (conn->monitor && !call->by_monitors)
		reply_words(conn, 403, "Forbidden\nthis socket answers vmm.ping, vm.info and vm.counters "
			"only; ask the API socket");
	else if (conn->http.method != call->method)
		wrong_method(conn, found);
	else if (body_is_wrong(conn, call) && found == CALL_CREATE)
		reply_empty(conn, 400);
	else if (body_is_wrong(conn, call) || (call->takes_fd && conn->n_fds > 1))
		reply_words(conn, 400, "Bad Request");
	else
		form_is_wrong(conn, call);
	json_reset();
}

/* ---- its turn ---- */

static const struct refusal {
	int code;
	const char *words;
} refusals[] = {
	[NOT_CREATED] = {-ENOENT, "VM is not created"},
	[NO_CONFIG] = {-ENOENT, "VM config is missing"},
	[ALREADY] = {-EBUSY, "VM is already created"},
	[NOT_RUNNING] = {-EBUSY, "VM is not running"},
	[PAUSED_ALREADY] = {-EBUSY, "Cannot pause VM\nFailed to pause migratable component\n"
		"Invalid transition: InvalidStateTransition(Paused, Paused)"},
	[RUNS_ALREADY] = {-EBUSY, "Cannot resume VM\nFailed to resume migratable component\n"
		"Invalid transition: InvalidStateTransition(Running, Running)"},
};

static void fail(struct conn *conn, int code, const char *words)
{
	struct err err;

	err_set(&err, code, BLAME_HOST, "%s", words);
	reply_error(conn, &err);
}

/* Nobody is answered before the opener has said what there is. */
static enum verdict verdict_of(const struct conn *conn)
{
	int call = conn->request.call;
	enum verdict verdict = !vm.known ? WAIT : calls[call].in[vm_state()];

	return verdict == DO && ops[call].link && link_busy(ops[call].link) ? WAIT : verdict;
}

static void begin(struct conn *conn, enum verdict verdict)
{
	const struct call_row *call = &calls[conn->request.call];
	struct err err = {0};
	int r;

	if (verdict != DO) {
		fail(conn, refusals[verdict].code, refusals[verdict].words);
	} else if (call->missing) {
		fail(conn, -ENOTSUP, call->missing);
	} else {
		r = ops[conn->request.call].begin(conn, &err);
		if (r < 0 && r != -EBUSY)
			reply_error(conn, &err);
	}
	json_reset();
}

static struct conn *next_in_turn(uint64_t after)
{
	struct conn *found = NULL;

	for (unsigned i = 0; i < CONNS_MAX; i++) {
		struct conn *conn = &conns[i];

		if (conn->phase == CONN_CALL && conn->request.stage == REQUEST_WAITS &&
			conn->request.arrived > after &&
			(!found || conn->request.arrived < found->request.arrived))
			found = conn;
	}
	return found;
}

/* Of a guest that may run already: does it? */
static void ask_new_core(void)
{
	struct err err;

	if (core_is_new && vm.unsure && !link_busy(&core)) {
		link_ask_plain(&core, NULL, BULKHEAD__PACKET__BODY_LIFE_INFO, &err);
		core_is_new = false;
	}
}

void serve_turn(void)
{
	struct conn *conn;

	for (unsigned i = 0; i < CONNS_MAX; i++)
		if (conns[i].phase == CONN_CALL && conns[i].request.stage == REQUEST_HAPPENS)
			ops[conns[i].request.call].look(&conns[i]);
	ask_new_core();
	for (uint64_t after = 0; (conn = next_in_turn(after)) != NULL;) {
		enum verdict verdict = verdict_of(conn);

		after = conn->request.arrived;
		if (verdict != WAIT)
			begin(conn, verdict);
	}
	json_reset();
}

/* ---- opener and core ---- */

static void answered(struct link *link, const struct msg *msg)
{
	struct conn *conn = link->asking;
	const struct op *op = conn ? &ops[conn->request.call] : NULL;
	struct err err = {0};
	int code;

	link->asking = NULL;
	if (!conn)
		return;
	if (msg->packet->body_case != BULKHEAD__PACKET__BODY_REFUSED) {
		if (op->answered)
			op->answered(conn, msg);
		else
			reply_done(conn);
		return;
	}
	code = chan_refused(&link->chan, msg, &err);
	if (!op->refused || !op->refused(conn, code))
		reply_error(conn, &err);
}

static void (*take_words)(void);

/* The channel has broken: who asked is told, or has what was last known. */
static void lost(struct link *link, const struct err *err)
{
	struct conn *conn = link->asking;

	link->asking = NULL;
	log_line(err->code == -EPIPE ? LOG_INFO : LOG_WARN, "%s", err->msg);
	if (conn && ops[conn->request.call].late)
		ops[conn->request.call].late(conn);
	else if (conn)
		reply_error(conn, err);
}

static void hear(struct link *link, struct msg *msg,
	int (*tell)(const struct msg *msg, struct err *err))
{
	struct err err = {0};
	int r = tell(msg, &err);

	if (r == 0 && msg->rule->answer)
		answered(link, msg);
	msg_done(msg);
	json_reset();
	if (r == 0)
		return;
	log_error("%s", err.msg);
	chan_close(&link->chan);
}

/* Who waits for it is told that there is no more. */
static void drop_core(void)
{
	struct err err;

	if (core.asking) {
		err_set(&err, -EIO, BLAME_HOST, "the VM has ended");
		lost(&core, &err);
	}
	chan_close(&core.chan);
}

/* Its last words: they are there, as it had been reaped before the opener heard of it. */
static void hear_last_words(void)
{
	static struct msg msg;
	struct err err = {0};

	while (chan_is_open(&core.chan) && chan_take(&core.chan, &msg, clock_ms(), &err) == 0)
		hear(&core, &msg, vm_on_core);
	drop_core();
}

/* One that was never told to live, too: its core says why. */
static bool ends_life(const struct msg *msg)
{
	return msg->packet->body_case == BULKHEAD__PACKET__BODY_API_LIFE &&
		chan_is_open(&core.chan) && msg->packet->api_life->life != VM_LIFE_LIVE;
}

/* Whatever it says of a life, the launcher has dealt that life's core before. */
static void take_opener(void)
{
	static struct msg msg;
	struct err err = {0};

	while (chan_take(&opener.chan, &msg, clock_ms(), &err) == 0) {
		if (msg.packet->body_case == BULKHEAD__PACKET__BODY_API_LIFE)
			take_words();
		if (ends_life(&msg))
			hear_last_words();
		hear(&opener, &msg, vm_on_opener);
	}
	if (!chan_is_open(&opener.chan))
		lost(&opener, &err);
}

static bool has_come(const struct link *link)
{
	struct pollfd poll = {link->chan.sock.n, POLLIN, 0};

	return ppoll(&poll, 1, &(struct timespec){0}, NULL) == 1;
}

static bool is_late(const struct link *link)
{
	return link_busy(link) && clock_ms() >= link->chan.due_ms;
}

/* What the opener said before is there when the core's words are, and is heard first: that the VM
 * lives, and of which device the core speaks. */
static void take_core(void)
{
	static struct msg msg;
	struct err err = {0};
	int r = 0;

	while (r == 0 && serve_hears_core() && (has_come(&core) || is_late(&core))) {
		take_opener();
		if (!chan_is_open(&core.chan))
			return;
		r = chan_take(&core.chan, &msg, clock_ms(), &err);
		if (r == 0)
			hear(&core, &msg, vm_on_core);
	}
	if (!chan_is_open(&core.chan))
		lost(&core, &err);
}

bool serve_hears_core(void)
{
	return vm.life == VM_LIFE_LIVE && chan_is_open(&core.chan);
}

void serve_begin(void (*words)(void))
{
	take_words = words;
}

bool serve_links(void)
{
	take_opener();
	if (serve_hears_core())
		take_core();
	return chan_is_open(&opener.chan);
}

void serve_core(struct fd sock)
{
	drop_core();
	chan_init(&core.chan, sock, ACTOR_API, ACTOR_CORE, "core");
	core_is_new = true;
}

/* ---- time ---- */

static void too_late(struct conn *conn)
{
	if (core.asking == conn)
		core.asking = NULL;
	if (ops[conn->request.call].late)
		ops[conn->request.call].late(conn);
	else
		fail(conn, -ETIMEDOUT, "it takes too long; see the log, and vm.info for what has come "
			"of it");
	json_reset();
}

static int64_t link_left(const struct link *link, int64_t now)
{
	int64_t left = link->chan.due_ms - now;

	return !link_busy(link) ? -1 : left > 0 ? left : 0;
}

int64_t serve_late(void)
{
	int64_t now = clock_ms();
	int64_t least = sooner(link_left(&opener, now), link_left(&core, now));

	for (unsigned i = 0; i < CONNS_MAX; i++) {
		struct conn *conn = &conns[i];
		int64_t left = conn->request.due_ms - now;

		if (conn->phase != CONN_CALL || !conn->request.due_ms)
			continue;
		if (left <= 0)
			too_late(conn);
		least = sooner(least, left > 0 ? left : 0);
	}
	return sooner(least, conn_slow(now));
}

void serve_end(void)
{
	opener.asking = core.asking = NULL;
	for (unsigned i = 0; i < CONNS_MAX; i++) {
		if (conns[i].phase != CONN_CALL)
			continue;
		if (conns[i].request.call == CALL_QUIT)
			reply_empty(&conns[i], 200);
		else
			fail(&conns[i], -EIO, "everything ends");
	}
}
