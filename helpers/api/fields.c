/* SPDX-License-Identifier: Apache-2.0
 *
 * From what a client sent to the normal form, and what of it we do not have. bulkhead-api. As deep
 * as the rows are: recursion follows them and not the input.
 */
#include "helpers/api/fields.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "helpers/api/json.h"

/* Where a value stands: cpus.topology, disks[1].path. */
struct place {
	const struct place *up;
	const char *name;
	int index; /* of a list's element; -1: a field */
	const char *end;
};

enum { PLACE_MAX = 160 };

static void place_write(const struct place *place, char to[static PLACE_MAX])
{
	size_t len;

	to[0] = '\0';
	if (!place || !place->up)
		return;
	place_write(place->up, to);
	len = strlen(to);
	if (place->index >= 0)
		snprintf(to + len, PLACE_MAX - len, "[%d]", place->index);
	else
		snprintf(to + len, PLACE_MAX - len, "%s%s", len ? "." : "", place->name);
}

const char *fields_type_name(enum field_type type)
{
	static const char *const names[] = {
		[FIELD_BOOL] = "a boolean", [FIELD_U8] = "u8", [FIELD_U16] = "u16",
		[FIELD_U32] = "u32", [FIELD_U64] = "u64", [FIELD_TEXT] = "a string",
		[FIELD_CHOICE] = "a string", [FIELD_OBJECT] = "a map",
		[FIELD_OBJECTS] = "a sequence", [FIELD_TEXTS] = "a sequence",
		[FIELD_NUMBERS] = "a sequence",
	};

	return names[type];
}

static void value_write(const json_t *value, char *to, size_t size)
{
	char text[64];

	switch (json_typeof(value)) {
	case JSON_OBJECT: snprintf(to, size, "map"); break;
	case JSON_ARRAY: snprintf(to, size, "sequence"); break;
	case JSON_STRING:
		json_quote(text, sizeof(text), json_string_value(value));
		snprintf(to, size, "string %s", text);
		break;
	case JSON_INTEGER:
		snprintf(to, size, "integer `%lld`", json_integer_value(value));
		break;
	case JSON_REAL: snprintf(to, size, "floating point"); break;
	case JSON_TRUE: snprintf(to, size, "boolean `true`"); break;
	case JSON_FALSE: snprintf(to, size, "boolean `false`"); break;
	case JSON_NULL: snprintf(to, size, "null"); break;
	}
}

static json_t *wrong(const struct place *place, const char *what, const json_t *value,
	const char *expected, struct err *err)
{
	char at[PLACE_MAX], is[96];

	place_write(place, at);
	value_write(value, is, sizeof(is));
	err_set(err, -EINVAL, BLAME_HOST, "invalid %s: %s, expected %s%s%s", what, is, expected,
		at[0] ? " at " : "", at);
	return NULL;
}

static json_t *number(enum field_type type, const json_t *in, const struct place *place,
	struct err *err)
{
	static const uint64_t most[] = {[FIELD_U8] = UINT8_MAX, [FIELD_U16] = UINT16_MAX,
		[FIELD_U32] = UINT32_MAX, [FIELD_U64] = INT64_MAX};
	json_int_t value = json_integer_value(in);

	if (!json_is_integer(in))
		return wrong(place, "type", in, fields_type_name(type), err);
	if (value < 0 || (uint64_t)value > most[type])
		return wrong(place, "value", in, fields_type_name(type), err);
	return json_integer(value);
}

const char *fields_next_choice(const char *choice)
{
	const char *bar = strchr(choice, '|');

	return bar ? bar + 1 : NULL;
}

static json_t *no_choice(const struct field *field, const char *text, const struct place *place,
	struct err *err)
{
	char at[PLACE_MAX], all[160] = "", quoted[64];
	size_t len = 0;

	for (const char *c = field->choices; c && len < sizeof(all); c = fields_next_choice(c))
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s`%.*s`", len ? ", " : "",
			(int)strcspn(c, "|"), c);
	place_write(place, at);
	json_quote(quoted, sizeof(quoted), text);
	err_set(err, -EINVAL, BLAME_HOST, "unknown variant %s, expected one of %s at %s", quoted, all,
		at);
	return NULL;
}

static json_t *choice(const struct field *field, const json_t *in, const struct place *place,
	struct err *err)
{
	const char *text = json_string_value(in);

	if (!text)
		return wrong(place, "type", in, fields_type_name(field->type), err);
	for (const char *c = field->choices; c; c = fields_next_choice(c))
		if (strcspn(c, "|") == strlen(text) && strncmp(c, text, strlen(text)) == 0)
			return json_string(text);
	return no_choice(field, text, place, err);
}

static json_t *object(const struct fields *fields, const json_t *in, const struct place *place,
	struct err *err);

static json_t *element(const struct field *field, const json_t *in, const struct place *place,
	struct err *err)
{
	if (field->type == FIELD_OBJECTS)
		return object(field->of, in, place, err);
	if (field->type == FIELD_NUMBERS)
		return number(FIELD_U64, in, place, err);
	if (!json_is_string(in))
		return wrong(place, "type", in, "a string", err);
	return json_string(json_string_value(in));
}

static json_t *list(const struct field *field, const json_t *in, const struct place *place,
	struct err *err)
{
	json_t *out = json_array();

	if (!json_is_array(in))
		return wrong(place, "type", in, "a sequence", err);
	for (size_t i = 0; i < json_array_size(in); i++) {
		const struct place here = {place, NULL, (int)i, NULL};
		json_t *made = element(field, json_array_get(in, i), &here, err);

		if (!made)
			return NULL;
		json_array_append_new(out, made);
	}
	return out;
}

static json_t *decode(const struct field *field, const json_t *in, const struct place *place,
	struct err *err)
{
	switch (field->type) {
	case FIELD_BOOL:
		return json_is_boolean(in) ? json_boolean(json_is_true(in))
			: wrong(place, "type", in, fields_type_name(field->type), err);
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_U64: return number(field->type, in, place, err);
	case FIELD_TEXT:
		return json_is_string(in) ? json_string(json_string_value(in))
			: wrong(place, "type", in, fields_type_name(field->type), err);
	case FIELD_CHOICE: return choice(field, in, place, err);
	case FIELD_OBJECT: return object(field->of, in, place, err);
	case FIELD_OBJECTS:
	case FIELD_TEXTS:
	case FIELD_NUMBERS: return list(field, in, place, err);
	}
	return NULL;
}

/* The row's default in its normal form. */
static json_t *standard(const struct field *field, struct err *err)
{
	const struct place nowhere = {NULL, NULL, -1, ""};
	json_t *in = json_known(field->standard);

	return in ? decode(field, in, &nowhere, err) : NULL;
}

static json_t *missing(const struct field *field, const struct place *place, struct err *err)
{
	char at[PLACE_MAX];

	place_write(place, at);
	err_set(err, -EINVAL, BLAME_HOST, "missing field `%s`%s%s", field->name,
		at[0] ? " at " : place->end, at);
	return NULL;
}

/* The value of one field, or NULL: absent, or *err. */
static json_t *one(const struct field *field, const json_t *in, const struct place *place,
	struct err *err)
{
	const json_t *value = json_object_get(in, field->name);
	const struct place here = {place, field->name, -1, NULL};

	if (!value && field->alias)
		value = json_object_get(in, field->alias);
	if (field->use == FIELD_DROPPED ||
		(field->need == FIELD_OPTIONAL && (!value || json_is_null(value))))
		return NULL;
	if (value)
		return decode(field, value, &here, err);
	return field->need == FIELD_REQUIRED ? missing(field, place, err) : standard(field, err);
}

static json_t *object(const struct fields *fields, const json_t *in, const struct place *place,
	struct err *err)
{
	json_t *out = json_object();

	if (!json_is_object(in))
		return wrong(place, "type", in, fields->name, err);
	for (const struct field *field = fields->rows; field->name; field++) {
		json_t *value = one(field, in, place, err);

		if (!value && err->code)
			return NULL;
		if (value && !(field->quiet && json_equal(value, standard(field, err))))
			json_object_set_new(out, field->name, value);
	}
	return out;
}

json_t *fields_decode(const struct fields *fields, const json_t *in, const char *end,
	struct err *err)
{
	const struct place top = {NULL, NULL, -1, end};
	json_t *out;

	*err = (struct err){0};
	out = object(fields, in, &top, err);
	if (!json_exhausted())
		return out;
	err_set(err, -EINVAL, BLAME_HOST, "it takes more memory than one request may");
	return NULL;
}

static int refuse(const struct fields *fields, const json_t *normal, const struct place *place,
	struct err *err);

static int refuse_below(const struct field *field, const json_t *value, const struct place *place,
	struct err *err)
{
	int r = 0;

	if (field->type == FIELD_OBJECT)
		return refuse(field->of, value, place, err);
	for (size_t i = 0; field->type == FIELD_OBJECTS && r == 0 && i < json_array_size(value); i++) {
		const struct place here = {place, NULL, (int)i, NULL};

		r = refuse(field->of, json_array_get(value, i), &here, err);
	}
	return r;
}

static bool is_standard(const struct field *field, const json_t *value, struct err *err)
{
	if (json_is_array(value) && json_array_size(value) == 0)
		return true;
	return field->standard && json_equal(value, standard(field, err));
}

static int refuse(const struct fields *fields, const json_t *normal, const struct place *place,
	struct err *err)
{
	int r = 0;

	for (const struct field *field = fields->rows; field->name && r == 0; field++) {
		const json_t *value = json_object_get(normal, field->name);
		const struct place here = {place, field->name, -1, NULL};
		char at[PLACE_MAX];

		if (!value)
			continue;
		if (field->use != FIELD_REFUSED) {
			r = refuse_below(field, value, &here, err);
		} else if (!is_standard(field, value, err)) {
			place_write(&here, at);
			r = err_set(err, -ENOTSUP, BLAME_HOST, "%s: not supported: %s", at, field->doc);
		}
	}
	return r;
}

int fields_refuse(const struct fields *fields, const json_t *normal, struct err *err)
{
	const struct place top = {NULL, NULL, -1, NULL};

	return refuse(fields, normal, &top, err);
}
