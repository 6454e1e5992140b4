/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of the control API: an opener and a core of ours, as build/bulkhead-api meets them.
 *
 * One thread: whoever waits for bytes from the api plays both meanwhile. They do what is asked, in the
 * order their messages have to have, unless the test says otherwise.
 */
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/chan.h"
#include "ipc/operate.h"
#include "ipc/words.h"
#include "seccomp/birth.h"

enum { API_PID = 4242, ANSWER_ROOM = 256 << 10, PATIENCE_MS = 60000 };

static struct api_test {
	pid_t pid;
	struct fd words, listener, status, event_reader;
	struct sockaddr_un address, status_address;
	socklen_t address_len, status_len;
	struct chan opener, core;

	/* What opener and core are like. */
	unsigned life;
	bool holds_opener, holds_core; /* they answer nothing */
	bool core_is_quick; /* its guest runs before the opener has said that the VM lives */
	bool never_starts, never_plugs; /* no LifeStarted, no LifePlugged */
	bool ejects;                   /* a device that is unplugged leaves at once */
	struct err refusal;            /* of the next ask to the opener; code 0: none */
	const char *start_fails, *plug_fails;
	const char *serial_pty;
	uint32_t generation;
	unsigned n_devices;
	char ids[VM_SLOTS][65];        /* by slot, as they came */
	uint32_t generations[VM_SLOTS];
	bool here[VM_SLOTS];
	bool paused, started;
	uint8_t notes[64 << 10];
	size_t notes_len;
	unsigned asks;                 /* that came to the opener */
	unsigned last_ask;             /* enum Bulkhead__Packet__BodyCase */
	unsigned fds_seen;             /* descriptors that came with asks */
	uint64_t memory, began_us;
	bool again; /* it is not the first api */
	struct msg msg;
	char *log_path;
} api;

static inline bool play_until(int fd, int ms);

static inline void be_told(Bulkhead__Packet packet, struct chan *chan)
{
	cr_assert_eq(chan_tell(chan, &packet), 0);
}

#define TELL(chan, CASE, field, ...)                                                               \
	be_told(PACKET(CASE, field, __VA_ARGS__), chan)

static inline void tell_life(unsigned life)
{
	Bulkhead__ApiLife body = BULKHEAD__API_LIFE__INIT;

	api.life = body.life = life;
	if (api.serial_pty)
		body.serial_pty = (char *)(uintptr_t)api.serial_pty;
	TELL(&api.opener, API_LIFE, api_life, &body);
}

static inline void core_ends(void)
{
	chan_close(&api.core);
	api.started = api.paused = false;
}

static inline void place(unsigned slot)
{
	Bulkhead__ApiPlaced body = BULKHEAD__API_PLACED__INIT;

	body.id = api.ids[slot];
	body.slot = slot;
	body.generation = api.generations[slot] = ++api.generation;
	api.here[slot] = false;
	TELL(&api.opener, API_PLACED, api_placed, &body);
}

static inline void tell_plugged(unsigned slot)
{
	Bulkhead__LifePlugged body = BULKHEAD__LIFE_PLUGGED__INIT;
	Bulkhead__LifePlugFailed failed = BULKHEAD__LIFE_PLUG_FAILED__INIT;

	body.slot = failed.slot = slot;
	body.generation = failed.generation = api.generations[slot];
	body.devfn = (slot + 1) << 3;
	failed.why = (char *)(uintptr_t)api.plug_fails;
	if (api.plug_fails)
		TELL(&api.core, LIFE_PLUG_FAILED, life_plug_failed, &failed);
	else if (!api.never_plugs)
		TELL(&api.core, LIFE_PLUGGED, life_plugged, &body);
	api.here[slot] = !api.plug_fails && !api.never_plugs;
}

static inline void core_begins(void)
{
	struct word word = {.op = WORD_DEAL, .kind = KIND_CORE, .generation = 1};
	struct fd ours, theirs;

	cr_assert_eq(frame_pair(&ours, &theirs), 0);
	cr_assert_eq(word_send(api.words.n, &word, &theirs.n, 1), 0);
	fd_close(&theirs);
	chan_init(&api.core, ours, ACTOR_CORE, ACTOR_API, "api");
}

static inline void core_starts(void)
{
	Bulkhead__LifeStarted body = BULKHEAD__LIFE_STARTED__INIT;
	Bulkhead__LifeFailed failed = BULKHEAD__LIFE_FAILED__INIT;

	failed.why = (char *)(uintptr_t)api.start_fails;
	if (api.start_fails) {
		TELL(&api.core, LIFE_FAILED, life_failed, &failed);
		core_ends();
		tell_life(VM_LIFE_CREATED);
		return;
	}
	api.started = true;
	for (unsigned i = 0; i < api.n_devices; i++)
		api.here[i] = true;
	TELL(&api.core, LIFE_STARTED, life_started, &body);
}

static inline void begin_life(void)
{
	if (api.core_is_quick) {
		core_begins();
		core_starts();
		play_until(-1, 50);
	}
	for (unsigned i = 0; i < api.n_devices; i++)
		place(i);
	tell_life(VM_LIFE_LIVE);
	if (!api.core_is_quick)
		core_begins();
}

static inline void take_device(const Bulkhead__ApiDevice *device)
{
	snprintf(api.ids[api.n_devices++], sizeof(api.ids[0]), "%s", device->id);
}

static inline void drop_device(const char *id)
{
	for (unsigned i = 0; i < api.n_devices; i++)
		if (strcmp(api.ids[i], id) == 0)
			snprintf(api.ids[i], sizeof(api.ids[0]), "-");
}

static inline void answer_state(void)
{
	Bulkhead__ApiStateIs body = BULKHEAD__API_STATE_IS__INIT;
	Bulkhead__ApiConfig config = BULKHEAD__API_CONFIG__INIT;

	for (size_t at = 0; at < api.notes_len; at += 5000) {
		Bulkhead__ApiNotes piece = BULKHEAD__API_NOTES__INIT;

		piece.offset = (uint32_t)at;
		piece.total = (uint32_t)api.notes_len;
		piece.part.data = api.notes + at;
		piece.part.len = api.notes_len - at < 5000 ? api.notes_len - at : 5000;
		TELL(&api.opener, API_NOTES, api_notes, &piece);
	}
	body.life = api.life;
	body.launcher = API_PID;
	body.began_us = api.began_us;
	body.first = !api.again;
	if (api.life != VM_LIFE_NOTHING) {
		config.kernel = (char *)(uintptr_t)"/k";
		config.vcpus = 2;
		config.memory = api.memory ? api.memory : 64 << 20;
		config.serial = CONSOLE_TTY;
		body.config = &config;
	}
	chan_answer(&api.opener, &api.msg, &PACKET(API_STATE_IS, api_state_is, &body), NULL, 0);
}

static inline void opener_plays(void)
{
	const Bulkhead__Packet *packet = api.msg.packet;
	bool starts = false, plugs = false;

	switch (packet->body_case) {
	case BULKHEAD__PACKET__BODY_API_NOTES:
		cr_assert_eq(packet->api_notes->offset, packet->api_notes->offset ? api.notes_len : 0);
		memcpy(api.notes + packet->api_notes->offset, packet->api_notes->part.data,
			packet->api_notes->part.len);
		api.notes_len = packet->api_notes->offset + packet->api_notes->part.len;
		return;
	case BULKHEAD__PACKET__BODY_API_STATE: answer_state(); return;
	case BULKHEAD__PACKET__BODY_API_CREATE:
		api.n_devices = 0;
		for (size_t i = 0; i < packet->api_create->n_devices; i++)
			take_device(packet->api_create->devices[i]);
		tell_life(VM_LIFE_CREATED);
		break;
	case BULKHEAD__PACKET__BODY_API_BOOT:
		begin_life();
		starts = !api.never_starts && !api.core_is_quick;
		break;
	case BULKHEAD__PACKET__BODY_API_SHUTDOWN:
		core_ends();
		tell_life(VM_LIFE_CREATED);
		break;
	case BULKHEAD__PACKET__BODY_API_DELETE:
		core_ends();
		api.n_devices = 0;
		tell_life(VM_LIFE_NOTHING);
		break;
	case BULKHEAD__PACKET__BODY_API_QUIT:
		core_ends();
		tell_life(VM_LIFE_OVER);
		break;
	case BULKHEAD__PACKET__BODY_API_ADD:
		take_device(packet->api_add->device);
		plugs = api.life == VM_LIFE_LIVE;
		if (plugs)
			place(api.n_devices - 1);
		break;
	case BULKHEAD__PACKET__BODY_API_REMOVE:
		if (api.life != VM_LIFE_LIVE)
			drop_device(packet->api_remove->id);
		break;
	default: break;
	}
	cr_assert_eq(chan_done(&api.opener, &api.msg), 0);
	if (starts)
		core_starts();
	if (plugs)
		tell_plugged(api.n_devices - 1);
}

static inline void opener_hears(void)
{
	struct err err;

	while (!api.holds_opener && chan_is_open(&api.opener) &&
		chan_recv(&api.opener, &api.msg, 0, &err) == 0) {
		if (api.msg.rule->deadline_ms) {
			api.asks++;
			api.last_ask = api.msg.packet->body_case;
			api.fds_seen += api.msg.frame.n_fds;
		}
		if (api.refusal.code && api.msg.rule->deadline_ms) {
			cr_assert_eq(chan_refuse(&api.opener, &api.msg, &api.refusal), 0);
			api.refusal.code = 0;
		} else {
			opener_plays();
		}
		msg_done(&api.msg);
	}
}

static inline void tell_unplugged(unsigned slot, unsigned how)
{
	Bulkhead__LifeUnplugged body = BULKHEAD__LIFE_UNPLUGGED__INIT;

	body.slot = slot;
	body.generation = api.generations[slot];
	body.how = how;
	api.here[slot] = false;
	TELL(&api.core, LIFE_UNPLUGGED, life_unplugged, &body);
}

static inline void answer_info(void)
{
	Bulkhead__LifeInfoIs body = BULKHEAD__LIFE_INFO_IS__INIT;
	Bulkhead__LifeDevice devices[VM_SLOTS], *pointers[VM_SLOTS];
	Bulkhead__LifeBar bar = BULKHEAD__LIFE_BAR__INIT, *bars[] = {&bar};
	uint32_t tids[] = {77, 78};

	bar.address = 0xfe000000;
	bar.size = 0x4000;
	bar.kind = BAR_KIND_MMIO32;
	body.state = !api.started ? RUN_STATE_SETUP : api.paused ? RUN_STATE_PAUSED
								  : RUN_STATE_RUNNING;
	body.memory_actual = api.memory;
	body.vcpu_tids = tids;
	body.n_vcpu_tids = 2;
	body.devices = pointers;
	for (unsigned i = 0; i < api.n_devices; i++) {
		if (!api.here[i])
			continue;
		bulkhead__life_device__init(&devices[i]);
		devices[i].slot = i;
		devices[i].generation = api.generations[i];
		devices[i].devfn = (i + 1) << 3;
		devices[i].bars = bars;
		devices[i].n_bars = 1;
		pointers[body.n_devices++] = &devices[i];
	}
	chan_answer(&api.core, &api.msg, &PACKET(LIFE_INFO_IS, life_info_is, &body), NULL, 0);
}

static inline void answer_counters(void)
{
	Bulkhead__LifeCountersAre body = BULKHEAD__LIFE_COUNTERS_ARE__INIT;
	Bulkhead__LifeCounts counts = BULKHEAD__LIFE_COUNTS__INIT, *pointers[] = {&counts};

	body.exits = 1234;
	counts.generation = api.generations[0];
	counts.asks = 5;
	counts.waited_ms = 6;
	body.devices = pointers;
	body.n_devices = 1;
	chan_answer(&api.core, &api.msg, &PACKET(LIFE_COUNTERS_ARE, life_counters_are, &body), NULL,
		0);
}

static inline void core_plays(void)
{
	Bulkhead__LifePaused paused = BULKHEAD__LIFE_PAUSED__INIT;
	Bulkhead__LifeResumed resumed = BULKHEAD__LIFE_RESUMED__INIT;
	Bulkhead__LifeRebooting rebooting = BULKHEAD__LIFE_REBOOTING__INIT;
	Bulkhead__LifeRebooted rebooted = BULKHEAD__LIFE_REBOOTED__INIT;
	unsigned slot;

	switch (api.msg.packet->body_case) {
	case BULKHEAD__PACKET__BODY_LIFE_PAUSE:
		api.paused = true;
		TELL(&api.core, LIFE_PAUSED, life_paused, &paused);
		break;
	case BULKHEAD__PACKET__BODY_LIFE_RESUME:
		api.paused = false;
		TELL(&api.core, LIFE_RESUMED, life_resumed, &resumed);
		break;
	case BULKHEAD__PACKET__BODY_LIFE_REBOOT:
		api.paused = false;
		TELL(&api.core, LIFE_REBOOTING, life_rebooting, &rebooting);
		TELL(&api.core, LIFE_REBOOTED, life_rebooted, &rebooted);
		break;
	case BULKHEAD__PACKET__BODY_LIFE_INFO: answer_info(); return;
	case BULKHEAD__PACKET__BODY_LIFE_COUNTERS: answer_counters(); return;
	case BULKHEAD__PACKET__BODY_LIFE_UNPLUG:
		slot = api.msg.packet->life_unplug->slot;
		cr_assert_eq(api.msg.packet->life_unplug->generation, api.generations[slot]);
		chan_done(&api.core, &api.msg);
		if (api.ejects)
			tell_unplugged(slot, UNPLUG_EJECTED);
		return;
	default: break;
	}
	cr_assert_eq(chan_done(&api.core, &api.msg), 0);
}

static inline void core_hears(void)
{
	struct err err;

	while (!api.holds_core && chan_is_open(&api.core) &&
		chan_recv(&api.core, &api.msg, 0, &err) == 0) {
		core_plays();
		msg_done(&api.msg);
	}
}

/* Plays opener and core until fd is readable; false: it took too long. fd -1: for that long. */
static inline bool play_until(int fd, int ms)
{
	int64_t end = now_ms() + ms;

	for (;;) {
		struct pollfd polls[] = {{fd, POLLIN, 0},
			{api.holds_opener ? -1 : api.opener.sock.n, POLLIN, 0},
			{api.holds_core ? -1 : api.core.sock.n, POLLIN, 0}};
		int64_t left = end - now_ms();

		if (left <= 0 || poll(polls, 3, (int)left) < 0)
			return false;
		if (polls[1].revents)
			opener_hears();
		if (polls[2].revents)
			core_hears();
		if (polls[0].revents)
			return true;
	}
}
