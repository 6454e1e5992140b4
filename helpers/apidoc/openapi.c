/* SPDX-License-Identifier: Apache-2.0
 *
 * docs/openapi.json: OpenAPI 3.0.3. apidoc.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "helpers/apidoc/apidoc.h"

static json_t *reference(const char *name)
{
	return json_pack("{ss+}", "$ref", "#/components/schemas/", name);
}

static json_t *choices_of(const char *at)
{
	json_t *list = json_array();

	for (; at; at = fields_next_choice(at))
		json_array_append_new(list, json_stringn(at, strcspn(at, "|")));
	return list;
}

static json_t *number(json_int_t most)
{
	return json_pack("{ss si sI}", "type", "integer", "minimum", 0, "maximum", most);
}

static json_t *list_of(json_t *items)
{
	return json_pack("{ss so}", "type", "array", "items", items);
}

static json_t *type_of(const struct field *field)
{
	switch (field->type) {
	case FIELD_BOOL: return json_pack("{ss}", "type", "boolean");
	case FIELD_U8: return number(UINT8_MAX);
	case FIELD_U16: return number(UINT16_MAX);
	case FIELD_U32: return number(UINT32_MAX);
	case FIELD_U64: return number(INT64_MAX);
	case FIELD_TEXT: return json_pack("{ss}", "type", "string");
	case FIELD_CHOICE:
		return json_pack("{ss so}", "type", "string", "enum", choices_of(field->choices));
	case FIELD_OBJECT: return json_pack("{s[o]}", "allOf", reference(field->of->name));
	case FIELD_OBJECTS: return list_of(reference(field->of->name));
	case FIELD_TEXTS: return list_of(json_pack("{ss}", "type", "string"));
	case FIELD_NUMBERS: return list_of(number(INT64_MAX));
	}
	return NULL;
}

static json_t *property(const struct field *field)
{
	static const char *const uses[] = {[FIELD_USED] = "used", [FIELD_ECHOED] = "kept",
		[FIELD_REFUSED] = "refused", [FIELD_DROPPED] = "dropped"};
	json_t *out = type_of(field);

	json_object_set_new(out, "description", json_string(field->doc));
	json_object_set_new(out, "x-use", json_string(uses[field->use]));
	if (field->need == FIELD_OPTIONAL)
		json_object_set_new(out, "nullable", json_true());
	if (field->need == FIELD_DEFAULT)
		json_object_set_new(out, "default", json_loads(field->standard, JSON_DECODE_ANY, NULL));
	return out;
}

static void add_schema(const struct fields *fields, void *to)
{
	json_t *properties = json_object(), *required = json_array();
	json_t *schema = json_pack("{ss so}", "type", "object", "properties", properties);

	for (const struct field *f = fields->rows; f->name; f++) {
		json_object_set_new(properties, f->name, property(f));
		if (f->need == FIELD_REQUIRED)
			json_array_append_new(required, json_string(f->name));
	}
	if (json_array_size(required))
		json_object_set_new(schema, "required", required);
	json_object_set_new(to, fields->name, schema);
}

/* Bodies of answers are objects of their own, which clients may know more or less of. */
static json_t *answer_of(unsigned call)
{
	bool has_body = calls[call].method == HTTP_GET || calls[call].takes_fd;
	json_t *answers = json_object();

	if (has_body)
		json_object_set_new(answers, "200", json_pack("{ss s{s{s{ss}}}}", "description", "done",
			"content", "application/json", "schema", "type", "object"));
	else if (call == CALL_QUIT)
		json_object_set_new(answers, "200", json_pack("{ss}", "description", "done"));
	if (calls[call].method == HTTP_PUT && call != CALL_QUIT)
		json_object_set_new(answers, "204", json_pack("{ss}", "description", "done"));
	json_object_set_new(answers, "default", json_pack("{ss s{s{so}}}", "description",
		"what is wrong, the outermost first", "content", "application/json", "schema",
		reference("Errors")));
	return answers;
}

static json_t *operation(unsigned call)
{
	json_t *out = json_pack("{ss ss so}", "operationId", calls[call].name, "summary",
		calls[call].doc, "responses", answer_of(call));

	if (calls[call].fields)
		json_object_set_new(out, "requestBody", json_pack("{sb s{s{so}}}", "required", 1,
			"content", "application/json", "schema", reference(calls[call].fields->name)));
	return out;
}

void openapi(void)
{
	json_t *schemas = json_pack("{s{ss s{ss}}}", "Errors", "type", "array", "items", "type",
		"string");
	json_t *paths = json_object(), *all;
	char path[80];

	for (unsigned i = 0; i < CALLS; i++) {
		snprintf(path, sizeof(path), "/%s", calls[i].name);
		json_object_set_new(paths, path, json_pack("{so}",
			calls[i].method == HTTP_GET ? "get" : "put", operation(i)));
	}
	each_schema(add_schema, schemas);
	all = json_pack("{ss s{ss ss ss} s[{ss}] so s{so}}", "openapi", "3.0.3", "info", "title",
		"bulkhead", "description", "The control API; docs/api.md says more", "version",
		BULKHEAD_VERSION, "servers", "url", "http://localhost/api/v1", "paths", paths,
		"components", "schemas", schemas);
	json_dumpf(all, stdout, JSON_INDENT(1));
	putchar('\n');
}
