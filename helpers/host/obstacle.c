/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands in the way, filled in and put into words: one place for a refused start, a list and a
 * refused bind.
 */
#include "helpers/host/uses.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ipc/log.h"

enum { COMMAND_MOST = 300 }; /* so that a refusal has room for it, and for why */

/* Names go to terminals: what they are made of is not only the kernel's. */
static void put(char *ret, size_t size, const char *text)
{
	snprintf(ret, size, "%.*s", (int)size - 1, text);
	text_clean(ret);
}

void obstacle_set(struct obstacle *ret, enum obstacle_kind kind, const char *thing, const char *how)
{
	char copy[sizeof(ret->thing)];

	snprintf(copy, sizeof(copy), "%.191s", thing); /* it may be its own */
	ret->kind = kind;
	put(ret->thing, sizeof(ret->thing), copy);
	put(ret->how, sizeof(ret->how), how);
}

bool is_plain(const char *text)
{
	return text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		"/._+:@-")] == '\0';
}

void obstacle_advise(struct obstacle *ret, enum advice advice, const char *fmt, ...)
{
	va_list args;

	int n;

	ret->advice = advice;
	va_start(args, fmt);
	n = vsnprintf(ret->next, sizeof(ret->next), fmt, args);
	va_end(args);
	if (advice != ADVICE_COMMAND || (n > 0 && n <= COMMAND_MOST))
		return;
	/* Half a command is another one. */
	ret->advice = ADVICE_NONE;
	strcpy(ret->next, "let go of it first; its name is too long for a command here");
}

/* Of more than there is room for, the last is the one that stays. */
struct obstacle *verdict_add(struct verdict *verdict, const char *of, enum obstacle_kind kind,
	const char *thing, const char *how)
{
	struct obstacle *o;

	verdict->n += verdict->n < OBSTACLES;
	o = &verdict->obstacles[verdict->n - 1];
	snprintf(o->of, sizeof(o->of), "%.63s", of);
	obstacle_set(o, kind, thing, how);
	return o;
}

void verdict_add_found(struct verdict *verdict, const char *of, const struct obstacle *found)
{
	struct obstacle *o = verdict_add(verdict, of, found->kind, found->thing, found->how);

	obstacle_advise(o, found->advice, "%s", found->next);
}

void obstacle_what(const struct obstacle *o, const char *name, char *ret, size_t size)
{
	const char *thing = o->thing, *how = o->how;
	int n = 0;

	if (strcmp(o->of, name) != 0)
		n = snprintf(ret, size, "%s of its IOMMU group: ", o->of);
	if (n < 0 || (size_t)n >= size)
		return;
	ret += n;
	size -= (size_t)n;
	switch (o->kind) {
	case OBSTACLE_STAYS: snprintf(ret, size, "it is a bridge"); break;
	case OBSTACLE_NO_ANSWER:
		snprintf(ret, size, "it does not answer: its config space reads as ones");
		break;
	case OBSTACLE_NO_IOMMU:
		snprintf(ret, size, "%s", thing[0] ? "the host has no IOMMU, or it is off"
						    : "behind none of the host's IOMMUs");
		break;
	case OBSTACLE_NO_REMAPPING:
		snprintf(ret, size, "/proc/interrupts shows no interrupt remapping, so a guest could "
			"forge interrupts with it");
		break;
	case OBSTACLE_RESERVED:
		snprintf(ret, size, "firmware has reserved memory at %s for it (`direct`), and the "
			"kernel gives no such device away", thing);
		break;
	case OBSTACLE_FUNCTIONS:
		snprintf(ret, size, "%s virtual functions would go with its driver%s%s", thing,
			how[0] ? ", among them " : "", how);
		break;
	case OBSTACLE_DISK:
		if (how[0])
			snprintf(ret, size, "the host uses its disk: %s is %s", thing, how);
		else
			snprintf(ret, size, "%s cannot be read", thing);
		break;
	case OBSTACLE_NETWORK:
		snprintf(ret, size, "the host uses its network interface%s%s: %s",
			thing[0] ? " " : "", thing, how);
		break;
	case OBSTACLE_CONSOLE: snprintf(ret, size, "the host's console is on it (%s)", thing); break;
	case OBSTACLE_OPEN: snprintf(ret, size, "process %s has its %s open", how, thing); break;
	case OBSTACLE_DRIVER: snprintf(ret, size, "bound to %s", thing); break;
	case OBSTACLE_GROUP:
		snprintf(ret, size, "IOMMU group %s has devices of the host's too: %s", how, thing);
		break;
	case OBSTACLE_FRAMEBUFFER:
		snprintf(ret, size, "%s, the framebuffer of the boot, holds a BAR of it", thing);
		break;
	case OBSTACLE_USED: snprintf(ret, size, "in use by process %s, by %s", how, thing); break;
	case OBSTACLE_NO_NODE: snprintf(ret, size, "%s is not there", thing); break;
	case OBSTACLE_NO_RIGHT: snprintf(ret, size, "you may not open %s (%s)", thing, how); break;
	}
}

/* Where there is no room for all, the cause is cut and not what to do. */
static int refuse(const struct obstacle *o, const char *name, const char *said, const char *after,
	int code, struct err *err)
{
	const char *quote = o->advice == ADVICE_COMMAND ? "`" : "";
	const size_t rest = strlen(": ; ``") + strlen(name) + strlen(said) + strlen(o->next) +
		strlen(after);
	char what[sizeof(err->msg)];

	obstacle_what(o, name, what, rest < sizeof(what) ? sizeof(what) - rest : 1);
	return err_set(err, code, BLAME_HOST, "%s%s: %s; %s%s%s%s", name, said, what, quote, o->next,
		quote, after);
}

int obstacle_refuse(const struct obstacle *o, const char *name, int code, struct err *err)
{
	return refuse(o, name, "", "", code, err);
}

int obstacle_keep(const struct obstacle *o, const char *name, bool force, int code, struct err *err)
{
	char after[80] = "";

	if (force)
		snprintf(after, sizeof(after),
			"; `bulkhead bind --force %.20s` takes it all the same", name);
	return refuse(o, name, " stays with the host", after, code, err);
}

const char *obstacle_word(enum obstacle_kind kind)
{
	static const char *const words[] = {[OBSTACLE_STAYS] = "bridge",
		[OBSTACLE_NO_ANSWER] = "no-answer",
		[OBSTACLE_NO_IOMMU] = "no-iommu", [OBSTACLE_NO_REMAPPING] = "no-interrupt-remapping",
		[OBSTACLE_RESERVED] = "reserved-memory", [OBSTACLE_FUNCTIONS] = "virtual-functions",
		[OBSTACLE_DISK] = "disk", [OBSTACLE_NETWORK] = "network",
		[OBSTACLE_CONSOLE] = "console", [OBSTACLE_OPEN] = "open",
		[OBSTACLE_DRIVER] = "driver", [OBSTACLE_GROUP] = "group",
		[OBSTACLE_FRAMEBUFFER] = "framebuffer", [OBSTACLE_USED] = "in-use",
		[OBSTACLE_NO_NODE] = "no-node", [OBSTACLE_NO_RIGHT] = "no-right"};

	return words[kind];
}

const char *advice_word(enum advice advice)
{
	static const char *const words[] = {[ADVICE_COMMAND] = "command",
		[ADVICE_SETTING] = "setting", [ADVICE_NONE] = "none"};

	return words[advice];
}

const char *way_word(enum way way)
{
	static const char *const words[] = {[WAY_NONE] = "", [WAY_IOMMUFD] = "iommufd",
		[WAY_TYPE1] = "type1", [WAY_VDPA] = "vdpa"};

	return words[way];
}
