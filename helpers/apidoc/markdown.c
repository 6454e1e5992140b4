/* SPDX-License-Identifier: Apache-2.0
 *
 * docs/api.md. apidoc.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "helpers/apidoc/apidoc.h"

static const char *const intro[] = {
	"# The control API",
	"",
	"Written by `make api-docs` from the rows the API itself works by (`helpers/api/calls.c`,",
	"`fields_*.c`); a check fails when it is stale. The same for programs: [openapi.json](openapi.json).",
	"",
	"HTTP/1.1 on a Unix socket (`--api-socket path=P|fd=N`), the dialect of Cloud Hypervisor's API, so",
	"that its clients drive bulkhead unchanged. For people: `bulkhead ctl SOCKET CALL [JSON|-]`, as in",
	"`bulkhead ctl /run/vm.sock info`; `--json` shows the answer as it came.",
	"",
	"* Paths are `/api/v1/NAME`, byte for byte; methods GET and PUT. Bodies are JSON, up to 4 MiB; what",
	"  is unknown in one is ignored, what comes twice or has the wrong type is a 400.",
	"* A status line is the code and one blank, without a phrase, but for a 429 to a client that sends a",
	"  User-Agent. 204 has no body; all else has Content-Type and Content-Length. JSON is ASCII.",
	"* A connection stays, after errors too, until the client closes it or asks for it (`Connection:",
	"  close`). There are 96, of which a user has 64 at most, where the VM's is one and all others are",
	"  another; the one idle longest goes for a new one.",
	"* Requests may come in any pieces and one after the other without waiting; they are answered in",
	"  order. A line has 1,024 bytes at most, a head 8,192. `Expect: 100-continue` is answered. Refused,",
	"  with the connection closed: chunked bodies, a Content-Length that is there twice or is no plain",
	"  number, lines that end with LF alone, folded headers.",
	"* Descriptors ride beside a request (SCM_RIGHTS) on any of its bytes; those it does not take are",
	"  closed. Numbers in JSON never name descriptors.",
	"* vmm.ping and vm.info are answered at once, whatever else is going on; vm.info then says what was",
	"  last known.",
	"",
	"The status socket (`--status-socket path=P|fd=N`) is for monitors: it answers vmm.ping, vm.info and",
	"vm.counters, and everything else with 403. What a monitor sends beside its request is not received.",
	"",
	"## Errors",
	"",
	"The body is an array of strings, the outermost first: `[\"Error from API\",\"The VM could not boot\",",
	"\"VM config is missing\"]`. 400: the request or the configuration is wrong; 404: there is no VM, or no",
	"device of that id; 409: the id or path is taken; 429: try again; 500: it did not work, it is not built,",
	"or the VM is not in the state for it. What is not built is refused by name, with what to do instead,",
	"when it would be used: by vm.boot and vm.add-*, not by vm.create.",
	"",
	"## Calls",
	"",
	"What becomes of a call: ✓ it is done; 404, 500: it is refused with that; … it waits until the guest",
	"runs. While it boots, clients see Created.",
	"",
	"| call | method, body | no VM | created | boots | runs | paused | |",
	"|---|---|---|---|---|---|---|---|",
	NULL,
};

static const char *const events[] = {
	"",
	"## Events",
	"",
	"`--event-monitor path=FILE|fd=N` has each event as one pretty-printed object and an empty line, whole",
	"or not at all: `{\"timestamp\": {\"secs\", \"nanos\"}, \"source\", \"event\", \"properties\"}`. What others",
	"named in it is at most 64 characters, printable, with braces and quotes by their numbers.",
	"",
	"| source | events |",
	"|---|---|",
	"| vmm | starting, shutdown; ours: layer-missing {layer, process} |",
	"| vm | booting, booted, pausing, paused, resuming, resumed, rebooting, rebooted, shutdown, deleted, "
		"device-removed {bdf, id}; ours: device-held {bdf, id} (something still has it open), "
		"device-ost {id, status} (the guest answers an eject), device-not-ejected {id, status} (it "
		"does not), device-failed {cause, id}, helper-ended {cause, id} |",
	"",
	"## Bodies",
	"",
	"Use: **used**; *kept*, shown again and without effect; **refused** unless absent, empty or the default;",
	"*dropped*, as if it had not been there.",
	NULL,
};

static void lines(const char *const text[])
{
	for (unsigned i = 0; text[i]; i++)
		puts(text[i]);
}

/* A heading's anchor is its name in small letters. */
static void link_write(const char *name)
{
	printf("[%s](#", name);
	for (const char *at = name; *at; at++)
		putchar(tolower(*at));
	putchar(')');
}

static const char *verdict_word(enum verdict verdict)
{
	switch (verdict) {
	case DO: return "✓";
	case WAIT: return "…";
	case NOT_CREATED:
	case NO_CONFIG: return "404";
	default: return "500";
	}
}

static void call_line(const struct call_row *call)
{
	printf("| %s | %s", call->name, call->method == HTTP_GET ? "GET" : "PUT");
	if (call->fields) {
		printf(", ");
		link_write(call->fields->name);
	}
	printf(" |");
	for (unsigned state = 0; state < VM_STATES; state++)
		printf(" %s |", call->missing && call->in[state] == DO ? "500"
			: verdict_word(call->in[state]));
	printf(" %s |\n", call->doc);
}

static void type_write(const struct field *field)
{
	const char *before = "";

	if (field->of) {
		printf("%s", field->type == FIELD_OBJECTS ? "list of " : "");
		link_write(field->of->name);
	} else if (field->choices) {
		for (const char *at = field->choices; at; at = fields_next_choice(at)) {
			printf("%s%.*s", before, (int)strcspn(at, "|"), at);
			before = ", "; /* a bar would end the cell */
		}
	} else if (field->type == FIELD_TEXTS || field->type == FIELD_NUMBERS) {
		printf("list of %s", field->type == FIELD_TEXTS ? "strings" : "u64");
	} else {
		printf("%s", field->type == FIELD_BOOL ? "boolean" : field->type == FIELD_TEXT ? "string"
			: fields_type_name(field->type));
	}
}

static void schema_write(const struct fields *fields, void *to)
{
	static const char *const uses[] = {[FIELD_USED] = "**used**", [FIELD_ECHOED] = "*kept*",
		[FIELD_REFUSED] = "**refused**", [FIELD_DROPPED] = "*dropped*"};

	(void)to;
	printf("\n### %s\n\n| field | type | default | use | |\n|---|---|---|---|---|\n", fields->name);
	for (const struct field *f = fields->rows; f->name; f++) {
		printf("| %s%s%s | ", f->name, f->alias ? ", " : "", f->alias ? f->alias : "");
		type_write(f);
		if (f->need == FIELD_DEFAULT)
			printf(" | `%s` | ", f->standard);
		else
			printf(" | %s | ", f->need == FIELD_REQUIRED ? "required" : "");
		printf("%s | %s |\n", uses[f->use], f->doc);
	}
}

void markdown(void)
{
	lines(intro);
	for (unsigned i = 0; i < CALLS; i++)
		call_line(&calls[i]);
	lines(events);
	each_schema(schema_write, NULL);
}
