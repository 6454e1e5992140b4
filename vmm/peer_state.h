/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a helper as the core sees it: one state, and what moves it on.
 *
 * Core process, with the function's lock held. States are in the order of a life and never go back.
 * That a device is failed, and why, is told once: with the step that leads past PEER_MUTE_ENDING.
 */
#pragma once

#include <stdbool.h>

enum peer_state {
	PEER_SERVES,      /* its channels are open */
	PEER_MUTE,        /* hung up, so cut off; the launcher will know how it ended */
	PEER_MUTE_ENDING, /* and the launcher has been told to end it */
	PEER_FAILED,      /* cut off */
	PEER_ENDING,      /* and the launcher has been told to end it */
	PEER_ENDED,       /* the launcher has said how it ended; the device is still open */
	PEER_RELEASING,   /* nothing of ours holds the device; the broker has been asked to close it */
	PEER_FREE,        /* the device is the host's again */
	PEER_STATES,
};

enum peer_event {
	PEER_HANGS_UP,  /* a channel says end of file */
	PEER_FAILS,     /* it is late, breaks a rule, cannot reset; or the host wants the device back */
	PEER_TO_END,    /* the launcher is told to end it */
	PEER_IS_GONE,   /* the launcher says how it ended */
	PEER_TO_RELEASE, /* the broker is asked to close a failed device */
	PEER_GIVEN_BACK, /* the same for one that nobody wants any more */
	PEER_RELEASED,   /* the broker has closed it */
	PEER_EVENTS,
};

/* What comes of the event; a state it means nothing to stays. */
enum peer_state peer_next(enum peer_state state, enum peer_event event);

/* Is what comes of it news to the operator? */
bool peer_news(enum peer_state state, enum peer_event event);

/* Is the main thread wanted, to have the launcher end it? */
bool peer_to_be_ended(enum peer_state state);
