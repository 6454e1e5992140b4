/* SPDX-License-Identifier: Apache-2.0
 *
 * The transitions of peer_state.h. Core process; const data, no state.
 */
#include "vmm/peer_state.h"

/* A row a state, a column an event; 0, which is PEER_SERVES and no step leads to: stays. */
static const enum peer_state next[PEER_STATES][PEER_EVENTS] = {
	[PEER_SERVES] = {
		[PEER_HANGS_UP] = PEER_MUTE,
		[PEER_FAILS] = PEER_FAILED,
		[PEER_IS_GONE] = PEER_ENDED,
		[PEER_GIVEN_BACK] = PEER_RELEASING,
	},
	[PEER_MUTE] = {
		[PEER_FAILS] = PEER_FAILED,
		[PEER_TO_END] = PEER_MUTE_ENDING,
		[PEER_IS_GONE] = PEER_ENDED,
		[PEER_TO_RELEASE] = PEER_RELEASING,
		[PEER_GIVEN_BACK] = PEER_RELEASING,
	},
	[PEER_MUTE_ENDING] = {
		[PEER_FAILS] = PEER_ENDING,
		[PEER_IS_GONE] = PEER_ENDED,
		[PEER_TO_RELEASE] = PEER_RELEASING,
		[PEER_GIVEN_BACK] = PEER_RELEASING,
	},
	[PEER_FAILED] = {
		[PEER_TO_END] = PEER_ENDING,
		[PEER_IS_GONE] = PEER_ENDED,
		[PEER_TO_RELEASE] = PEER_RELEASING,
		[PEER_GIVEN_BACK] = PEER_RELEASING,
	},
	[PEER_ENDING] = {
		[PEER_IS_GONE] = PEER_ENDED,
		[PEER_TO_RELEASE] = PEER_RELEASING,
		[PEER_GIVEN_BACK] = PEER_RELEASING,
	},
	[PEER_ENDED] = {
		[PEER_TO_RELEASE] = PEER_RELEASING,
		[PEER_GIVEN_BACK] = PEER_RELEASING,
	},
	[PEER_RELEASING] = {
		[PEER_RELEASED] = PEER_FREE,
	},
};

enum peer_state peer_next(enum peer_state state, enum peer_event event)
{
	enum peer_state to = next[state][event];

	return to ? to : state;
}

bool peer_news(enum peer_state state, enum peer_event event)
{
	return state < PEER_FAILED && event != PEER_GIVEN_BACK &&
		peer_next(state, event) >= PEER_FAILED;
}

bool peer_to_be_ended(enum peer_state state)
{
	return state == PEER_MUTE || state == PEER_FAILED;
}
