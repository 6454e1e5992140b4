/* SPDX-License-Identifier: Apache-2.0
 *
 * Events as bytes, and what others named in them.
 *
 * links: helpers/api/events.c
 */
#include <criterion/criterion.h>
#include <limits.h>
#include <string.h>

#include "helpers/api/events.h"

static char bytes[EVENT_MAX];

static const char *written(const char *value)
{
	const struct event_property property = {"id", value};

	bytes[event_write(bytes, 1500000000, "vm", "x", &property, 1)] = '\0';
	return bytes;
}

Test(api_events, to_the_byte)
{
	const struct event_property properties[] = {{"bdf", "0000:00:05.0"}, {"id", "_vfio2"}};

	bytes[event_write(bytes, 12345678, "vm", "device-removed", properties, 2)] = '\0';
	cr_assert_str_eq(bytes, "{\n  \"timestamp\": {\n    \"secs\": 0,\n    \"nanos\": 12345678\n  },\n"
		"  \"source\": \"vm\",\n  \"event\": \"device-removed\",\n  \"properties\": {\n"
		"    \"bdf\": \"0000:00:05.0\",\n    \"id\": \"_vfio2\"\n  }\n}\n\n");
	bytes[event_write(bytes, 5000000007, "vmm", "shutdown", NULL, 0)] = '\0';
	cr_assert_str_eq(bytes, "{\n  \"timestamp\": {\n    \"secs\": 5,\n    \"nanos\": 7\n  },\n"
		"  \"source\": \"vmm\",\n  \"event\": \"shutdown\",\n  \"properties\": null\n}\n\n");
}

/* Each byte there is: printable, no brace, no quote that is not the text's own end. */
Test(api_events, every_byte_in_a_word)
{
	char value[2] = "";

	for (unsigned c = 1; c < 256; c++) {
		unsigned open = 0, close = 0, quotes = 0;

		value[0] = (char)c;
		written(value);
		for (const char *at = bytes; *at; at++) {
			cr_assert((*at >= ' ' && *at <= '~') || *at == '\n', "%u", c);
			open += *at == '{';
			close += *at == '}';
			quotes += *at == '"';
		}
		cr_assert(open == 3 && close == 3, "%u: %s", c, bytes);
		cr_assert_eq(quotes, 20, "%u: %s", c, bytes);
	}
}

Test(api_events, words_are_cut_and_an_event_is_never_more_than_a_pipe_takes)
{
	char value[5000];

	memset(value, '\1', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	written(value);
	cr_assert_eq(strlen(strstr(bytes, "\\u0001")), EVENT_WORD_MAX * 6 + strlen("\"\n  }\n}\n\n"));
	cr_assert_lt(strlen(bytes), PIPE_BUF);
}
