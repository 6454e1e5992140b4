/* SPDX-License-Identifier: Apache-2.0
 *
 * Request line and headers. bulkhead-api. What each header means here is a row of a table; all
 * others only have to be well formed.
 */
#include "helpers/api/http.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void http_begin(struct http *http)
{
	http->state = HTTP_READING;
	http->path[0] = http->why[0] = '\0';
	http->body = 0;
	http->expects_continue = http->close = http->user_agent = http->refused = false;
	http->has_line = http->has_length = false;
	http->head_len = http->line_len = 0;
}

/* lost: the first reason counts, but that the next request cannot be found counts more. */
static void __attribute__((format(printf, 3, 4))) refuse(struct http *http, bool lost,
	const char *fmt, ...)
{
	va_list args;

	if (!http->refused || lost) {
		va_start(args, fmt);
		vsnprintf(http->why, sizeof(http->why), fmt, args);
		va_end(args);
	}
	http->refused = true;
	if (lost)
		http->state = HTTP_LOST;
}

static void bad_value(struct http *http, bool lost, const char *key, const char *value)
{
	refuse(http, lost, "Invalid header. Reason: Invalid value. Key:%s; Value: %.60s", key, value);
}

/* tchar of RFC 9110 5.6.2. */
static bool is_token(const char *text, size_t len)
{
	static const char also[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			strchr(also, c)))
			return false;
	}
	return len > 0;
}

static void set_method(struct http *http, const char *text)
{
	static const char *const names[] = {[HTTP_GET] = "GET", [HTTP_PUT] = "PUT",
		[HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			http->method = (enum http_method)i;
			return;
		}
	}
	refuse(http, false, "Invalid HTTP Method: Unsupported HTTP method.");
}

/* Origin form, or absolute form, whose authority says nothing on a Unix socket. */
static void set_path(struct http *http, const char *target)
{
	static const char scheme[] = "http://";

	if (strncmp(target, scheme, strlen(scheme)) == 0)
		target = strchr(target + strlen(scheme), '/');
	if (target && strlen(target) < sizeof(http->path))
		strcpy(http->path, target);
}

static void request_line(struct http *http, char *line)
{
	char *target = strchr(line, ' ');
	char *version = target ? strchr(target + 1, ' ') : NULL;

	http->has_line = true;
	if (!version || !is_token(line, (size_t)(target - line)) || version == target + 1 ||
		strchr(version + 1, ' ') || strchr(line, '\t')) {
		refuse(http, true, "Invalid request.");
		return;
	}
	*target++ = '\0';
	*version++ = '\0';
	if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0) {
		refuse(http, true, "Invalid HTTP Version: Unsupported HTTP version.");
		return;
	}
	set_method(http, line);
	set_path(http, target);
}

static void content_length(struct http *http, const char *key, const char *value)
{
	uint64_t length = 0;
	size_t len = strlen(value);

	for (size_t i = 0; i < len && value[i] >= '0' && value[i] <= '9'; i++)
		length = length * 10 + (uint64_t)(value[i] - '0');
	if (len == 0 || len > 10 || strspn(value, "0123456789") != len || length > UINT32_MAX)
		bad_value(http, true, key, value);
	else if (http->has_length)
		refuse(http, true, "Invalid header. Reason: It is there twice. Key:%s", key);
	else if (length > HTTP_BODY_MAX)
		refuse(http, false, "Request payload with size %s is larger than the limit of "
			"%d allowed by server.", value, HTTP_BODY_MAX);
	http->has_length = true;
	http->body = (uint32_t)length;
}

static void transfer_encoding(struct http *http, const char *key, const char *value)
{
	bad_value(http, true, key, value);
}

static void expect(struct http *http, const char *key, const char *value)
{
	(void)key;
	http->expects_continue |= strcasecmp(value, "100-continue") == 0;
}

static void user_agent(struct http *http, const char *key, const char *value)
{
	(void)key, (void)value;
	http->user_agent = true;
}

/* A list of options. */
static void connection(struct http *http, const char *key, const char *value)
{
	static const char option[] = "close";

	(void)key;
	for (value += strspn(value, ", \t"); *value; value += strspn(value, ", \t")) {
		size_t len = strcspn(value, ", \t");

		http->close |= len == strlen(option) && strncasecmp(value, option, len) == 0;
		value += len;
	}
}

static bool is_there(const char *value, const char *refusal)
{
	const char *at = strcasestr(value, refusal);

	return at && at[strlen(refusal)] != '.'; /* a quality of 0.1 is none of 0 */
}

/* Our answers are in no encoding, so a client must not refuse that one. */
static void accept_encoding(struct http *http, const char *key, const char *value)
{
	if (!value[0] || is_there(value, "identity;q=0") ||
		(is_there(value, "*;q=0") && !strcasestr(value, "identity")))
		bad_value(http, false, key, value);
}

static const struct {
	const char *name;
	void (*set)(struct http *http, const char *key, const char *value);
} headers[] = {
	{"Content-Length", content_length},
	{"Transfer-Encoding", transfer_encoding},
	{"Expect", expect},
	{"Connection", connection},
	{"User-Agent", user_agent},
	{"Accept-Encoding", accept_encoding},
};

static void header_line(struct http *http, char *line)
{
	char *value = strchr(line, ':'), *end = line + strlen(line);

	if (!value || !is_token(line, (size_t)(value - line))) {
		refuse(http, true, "Invalid header. Reason: Header is incorrectly formatted. "
			"Key: %.60s", line);
		return;
	}
	*value++ = '\0';
	value += strspn(value, " \t");
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	for (unsigned i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		if (strcasecmp(line, headers[i].name) == 0)
			headers[i].set(http, headers[i].name, value);
}

/* An empty line before a request is skipped (RFC 9112 2.2). True: the head is whole. */
static bool end_of_line(struct http *http)
{
	http->line[http->line_len] = '\0';
	if (http->line_len == 0)
		return http->has_line;
	if (http->has_line)
		header_line(http, http->line);
	else
		request_line(http, http->line);
	http->line_len = 0;
	return false;
}

/* One byte of a line; CR stays in it until LF comes. False: it may not be there. */
static bool put(struct http *http, char c)
{
	bool after_cr = http->line_len && http->line[http->line_len - 1] == '\r';

	if (after_cr != (c == '\n') || ++http->head_len > HTTP_HEAD_MAX)
		return false;
	if (c == '\n')
		return true;
	if (http->line_len == HTTP_LINE_MAX - 1 || ((c < ' ' || c > '~') && c != '\t' && c != '\r'))
		return false;
	http->line[http->line_len++] = c;
	return true;
}

size_t http_feed(struct http *http, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!put(http, bytes[i])) {
			refuse(http, true, "Invalid request.");
			return i + 1;
		}
		if (bytes[i] != '\n')
			continue;
		http->line_len--; /* CR */
		if (end_of_line(http))
			http->state = HTTP_WHOLE;
		if (http->state != HTTP_READING)
			return i + 1;
	}
	return len;
}
