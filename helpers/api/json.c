/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON in and out. bulkhead-api, its one thread.
 */
#include "helpers/api/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "ipc/log.h"

static struct {
	_Alignas(16) char bytes[JSON_ARENA];
	size_t used;
	bool exhausted, parsing;
	jmp_buf out; /* of the parser */
} arena;

/* The parser asserts that it has what it asked for (jansson 2.14 load.c, lex_unget_unsave): where there
 * is no more, it is left as it stands. All it has is in the arena. */
static void *arena_get(size_t size)
{
	void *at = arena.bytes + arena.used;

	size = (size + 15) & ~(size_t)15;
	if (size > sizeof(arena.bytes) - arena.used) {
		arena.exhausted = true;
		if (arena.parsing)
			longjmp(arena.out, 1);
		return NULL;
	}
	arena.used += size;
	return at;
}

static void arena_let_go(void *at)
{
	(void)at; /* json_reset does */
}

void json_begin(size_t seed)
{
	json_set_alloc_funcs(arena_get, arena_let_go);
	json_object_seed(seed ? seed : 1);
}

void json_reset(void)
{
	arena.used = 0;
	arena.exhausted = false;
}

bool json_exhausted(void)
{
	return arena.exhausted;
}

static json_t *parse(const char *text, size_t len, size_t flags, json_error_t *error)
{
	json_t *volatile value = NULL;

	arena.parsing = true;
	if (setjmp(arena.out) == 0)
		value = json_loadb(text, len, flags, error);
	arena.parsing = false;
	return value;
}

json_t *json_known(const char *text)
{
	return parse(text, strlen(text), JSON_DECODE_ANY, NULL);
}

/* jansson nests up to 2,048 deep. What is no JSON it says itself. */
static bool too_deep(const char *text, size_t len)
{
	bool in_string = false;
	unsigned depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (!in_string && (text[i] == '{' || text[i] == '['))
			depth++;
		else if (!in_string && (text[i] == '}' || text[i] == ']') && depth)
			depth--;
		if (depth > JSON_DEPTH)
			return true;
	}
	return false;
}

/* What serde_json, which Cloud Hypervisor reads with, calls the same. */
static const char *other_words(const json_error_t *error)
{
	switch (json_error_code(error)) {
	case json_error_premature_end_of_input: return "EOF while parsing a value";
	case json_error_end_of_input_expected: return "trailing characters";
	case json_error_duplicate_key: return "duplicate field";
	case json_error_invalid_utf8: return "invalid unicode code point";
	case json_error_numeric_overflow: return "number out of range";
	default: return NULL;
	}
}

json_t *json_parse(const char *text, size_t len, struct err *err)
{
	json_error_t error = {0};
	const char *words, *near;
	json_t *value;

	if (too_deep(text, len)) {
		err_set(err, -EINVAL, BLAME_HOST, "recursion limit exceeded: more than %d deep",
			JSON_DEPTH);
		return NULL;
	}
	value = parse(text, len, JSON_REJECT_DUPLICATES, &error);
	if (arena.exhausted) {
		err_set(err, -EINVAL, BLAME_HOST, "it takes more memory than one request may");
		return NULL;
	}
	if (value)
		return value;
	text_clean(error.text);
	words = other_words(&error);
	near = strstr(error.text, " near '");
	if (!words)
		words = error.text;
	err_set(err, -EINVAL, BLAME_HOST, "%s%s at line %d column %d", words,
		words != error.text && near ? near : "", error.line, error.column);
	return NULL;
}

int json_write(const json_t *value, char *to, size_t size)
{
	size_t len = json_dumpb(value, to, size, JSON_COMPACT | JSON_ENSURE_ASCII);

	return len && len <= size ? (int)len : -ENOSPC;
}

size_t json_quote(char *to, size_t size, const char *text)
{
	size_t used = 0;

	to[used++] = '"';
	for (; *text && used + 4 <= size; text++) {
		if (*text == '"' || *text == '\\')
			to[used++] = '\\';
		to[used++] = *text < ' ' || *text > '~' ? '?' : *text;
	}
	to[used++] = '"';
	to[used] = '\0';
	return used;
}
