/* SPDX-License-Identifier: Apache-2.0
 *
 * Values on the command line: sizes, counts, switches, ids, and key=value lists.
 *
 * Launcher and opener, first thing. Every refusal names the option, what is wrong with the
 * value and what would be right.
 */
#include "helpers/opts/opts_value.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- values --------------------------------------------------------------------------------- */

/* Digits and one of K, M, G, T. */
int parse_size(const char *what, const char *value, uint64_t *ret, struct err *err)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	unsigned shift = 0;
	uint64_t n;
	char *end;

	errno = 0;
	n = strtoull(value, &end, 10);
	if (*end && (suffix = strchr(suffixes, *end)) != NULL) {
		shift = 10 * (unsigned)(suffix - suffixes + 1);
		end++;
	}
	if (value[0] < '0' || value[0] > '9' || *end || errno || n << shift >> shift != n)
		return refuse(err, "%s: «%s» is no size; give bytes, or a number with K, M, G or T, "
			"like 512M", what, value);
	if (n == 0)
		return refuse(err, "%s: 0 is no size to run with; give one like 512M", what);
	*ret = n << shift;
	return 0;
}

int parse_number(const char *what, const char *value, unsigned min, unsigned max, unsigned *ret,
	struct err *err)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end || errno || n < min || n > max)
		return refuse(err, "%s: «%s» is not a number from %u to %u", what, value, min, max);
	*ret = (unsigned)n;
	return 0;
}

int parse_count(const char *what, const char *value, unsigned max, unsigned *ret, struct err *err)
{
	return parse_number(what, value, 1, max, ret, err);
}

int parse_switch(const char *what, const char *value, bool *ret, struct err *err)
{
	bool on = strcmp(value, "on") == 0 || strcmp(value, "true") == 0;

	if (!on && strcmp(value, "off") != 0 && strcmp(value, "false") != 0)
		return refuse(err, "%s: «%s» is neither on nor off", what, value);
	*ret = on;
	return 0;
}

/* "2" or "2-3" into bits of *ret. Returns what follows, or NULL. */
static const char *parse_range(const char *at, unsigned max, unsigned *ret)
{
	unsigned long first, last;
	char *end;

	if (at[0] < '0' || at[0] > '9')
		return NULL;
	first = last = strtoul(at, &end, 10);
	if (end[0] == '-' && end[1] >= '0' && end[1] <= '9')
		last = strtoul(end + 1, &end, 10);
	if (first > last || last > max)
		return NULL;
	for (unsigned long i = first; i <= last; i++)
		*ret |= 1u << i;
	return end;
}

int parse_set(const char *what, const char *value, unsigned max, unsigned *ret, struct err *err)
{
	const char *at = value + (value[0] == '[');

	*ret = 0;
	for (at = parse_range(at, max, ret); at && *at == ','; )
		at = parse_range(at + 1, max, ret);
	if (!at || strcmp(at, value[0] == '[' ? "]" : "") != 0)
		return refuse(err, "%s: «%s» is no list of numbers from 0 to %u; give one like [0,2-3]",
			what, value, max);
	return 0;
}

int parse_uuid(const char *what, const char *value, uint8_t ret[static 16], struct err *err)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", hex[] = "0123456789abcdef";
	bool good = strlen(value) == strlen(form);
	uint8_t uuid[16] = {0};
	unsigned digits = 0;

	for (unsigned i = 0; good && form[i]; i++) {
		const char *digit = strchr(hex, tolower((unsigned char)value[i]));

		good = form[i] == '-' ? value[i] == '-' : digit != NULL;
		if (good && digit) {
			uuid[digits / 2] = (uint8_t)(uuid[digits / 2] << 4 | (digit - hex));
			digits++;
		}
	}
	if (!good)
		return refuse(err, "%s: this is no UUID; give one of the form %s, each x a digit or a "
			"letter from a to f", what, form);
	memcpy(ret, uuid, sizeof(uuid));
	return 0;
}

int parse_id(const char *what, const char *value, char ret[static ID_MAX], struct err *err)
{
	size_t len = strlen(value);

	if (len == 0 || len >= ID_MAX ||
		strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:") !=
			len)
		return refuse(err, "%s: «%s» is no id; give 1 to %d letters, digits or _-.:", what,
			value, ID_MAX - 1);
	memcpy(ret, value, len + 1);
	return 0;
}

/* ---- key=value lists ------------------------------------------------------------------------ */

static struct key *key_of(struct key *keys, const char *name, size_t len)
{
	for (; keys->name; keys++) {
		if (strlen(keys->name) == len && memcmp(keys->name, name, len) == 0)
			return keys;
	}
	return NULL;
}

static void list_keys(const struct key *keys, char *ret, size_t size)
{
	size_t len = 0;

	ret[0] = '\0';
	for (; keys->name && len < size; keys++)
		len += (size_t)snprintf(ret + len, size - len, "%s%s=", len ? ", " : "", keys->name);
}

static int parse_pair(const char *option, const char *pair, size_t len, struct key *keys,
	struct err *err)
{
	const char *equals = memchr(pair, '=', len);
	size_t name_len = equals ? (size_t)(equals - pair) : len, value_len;
	struct key *key = key_of(keys, pair, name_len);
	char known[160];

	if (!key) {
		list_keys(keys, known, sizeof(known));
		return refuse(err, "%s: it knows no key «%.*s»; it knows %s", option,
			(int)(name_len < 60 ? name_len : 60), pair, known);
	}
	value_len = equals ? len - name_len - 1 : 0;
	if (value_len == 0)
		return refuse(err, "%s: %s= has no value", option, key->name);
	if (key->value[0])
		return refuse(err, "%s: %s= is given twice", option, key->name);
	if (value_len >= sizeof(key->value))
		return refuse(err, "%s: the value of %s= is too long", option, key->name);
	memcpy(key->value, equals + 1, value_len);
	key->value[value_len] = '\0';
	return 0;
}

/* Up to the comma that is not inside a list; only a value's first bracket begins one. */
static size_t pair_len(const char *at)
{
	size_t end = strcspn(at, "=,");

	if (at[end] == '=' && at[end + 1] == '[')
		end += strcspn(at + end, "]");
	return end + strcspn(at + end, ",");
}

int parse_keys(const char *option, const char *text, struct key *keys, struct err *err)
{
	for (const char *at = text;; at++) {
		size_t len = pair_len(at);
		int r = parse_pair(option, at, len, keys, err);

		if (r < 0)
			return r;
		at += len;
		if (!*at)
			break;
	}
	for (; keys->name; keys++) {
		if (keys->needed && !keys->value[0])
			return refuse(err, "%s: %s= is missing", option, keys->name);
	}
	return 0;
}
