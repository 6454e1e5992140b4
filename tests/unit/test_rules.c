/* SPDX-License-Identifier: Apache-2.0
 *
 * The protocol's table: complete, consistent, and every way to break a row refused.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/rules.h"

static const enum actor actors[] = {ACTOR_CORE, ACTOR_BROKER, ACTOR_HELPER, ACTOR_API,
	ACTOR_OPENER};
enum { N_ACTORS = sizeof(actors) / sizeof(actors[0]) };

/* A descriptor of the kind, or of none of them (FD_KIND_NONE). */
static int make(enum fd_kind kind)
{
	int fd = -1;

	switch (kind) {
	case FD_KIND_NONE: return open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	case FD_KIND_RAM:
		fd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		cr_assert_eq(ftruncate(fd, 4096), 0);
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
		return fd;
	case FD_KIND_EVENTFD:
	case FD_KIND_DEVICE: return eventfd(0, EFD_CLOEXEC);
	case FD_KIND_ANY:
	case FD_KIND_CHARDEV: return open("/dev/null", O_RDWR | O_CLOEXEC);
	}
	return fd;
}

static unsigned max_fds(const struct rule *rule)
{
	unsigned n = 0;

	while (n < RULE_FDS && rule->kinds[n] != FD_KIND_NONE)
		n++;
	return n;
}

/* The row of an ask this answers, or NULL. */
static const struct rule *asked(const struct rule *rule)
{
	if (!rule->answer)
		return NULL;
	for (unsigned i = 0; i < n_rules; i++)
		if (rules[i].deadline_ms && (rules[i].answered == rule->body ||
			rule->body == BULKHEAD__PACKET__BODY_REFUSED))
			return &rules[i];
	cr_assert_fail("%s answers nothing", rule->name);
	return NULL;
}

Test(rules, every_message_has_one_row_and_every_row_a_message)
{
	const ProtobufCMessageDescriptor *d = &bulkhead__packet__descriptor;
	unsigned arms = 0;

	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &d->fields[i];
		unsigned rows = 0;

		if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
			continue;
		arms++;
		cr_assert_eq(field->type, PROTOBUF_C_TYPE_MESSAGE, "%s", field->name);
		for (unsigned j = 0; j < n_rules; j++)
			rows += rules[j].body == (Bulkhead__Packet__BodyCase)field->id;
		cr_assert_eq(rows, 1, "%s has %u rows", field->name, rows);
	}
	cr_assert_eq(arms, n_rules);
	cr_assert_null(rule_of(BULKHEAD__PACKET__BODY__NOT_SET));
	cr_assert_null(rule_of((Bulkhead__Packet__BodyCase)9999));
}

Test(rules, rows_make_sense)
{
	for (unsigned i = 0; i < n_rules; i++) {
		const struct rule *rule = &rules[i], *answer;

		cr_assert(rule->from && rule->to && rule->phases, "%s", rule->name);
		cr_assert_leq(rule->min_fds, max_fds(rule), "%s", rule->name);
		cr_assert_eq(rule->answered != 0, rule->deadline_ms != 0, "%s", rule->name);
		cr_assert(!(rule->answer && rule->answered), "%s", rule->name);
		if (!rule->answered)
			continue;
		cr_assert_eq(rule->from & rule->to, 0, "%s", rule->name);
		answer = rule_of(rule->answered);
		cr_assert(answer && answer->answer, "%s", rule->name);
		cr_assert_eq(answer->from & rule->to, rule->to, "%s", rule->name);
		cr_assert_eq(answer->to & rule->from, rule->from, "%s", rule->name);
		cr_assert_eq(answer->phases & rule->phases, rule->phases, "%s", rule->name);
	}
}

/* A descriptor of any kind is the opener's alone to give, and channels are given by the launcher only. */
Test(rules, only_the_opener_vouches_for_what_it_gives)
{
	for (unsigned i = 0; i < n_rules; i++) {
		for (unsigned f = 0; f < max_fds(&rules[i]); f++)
			cr_expect(rules[i].kinds[f] != FD_KIND_ANY || rules[i].from == ACTOR_OPENER, "%s",
				rules[i].name);
	}
	cr_assert_eq(fd_kind_check(STDIN_FILENO, FD_KIND_NONE), -EBADMSG);
}

/* The opener tells core and broker, before they are sealed, and hears neither; the api speaks to opener
 * and core alone. */
Test(rules, who_hears_whom)
{
	for (unsigned i = 0; i < n_rules; i++) {
		const struct rule *rule = &rules[i];

		if (rule->from == ACTOR_OPENER && (rule->to & (ACTOR_CORE | ACTOR_BROKER)))
			cr_expect(rule->phases == PHASE_SETUP && !rule->answered, "%s", rule->name);
		if (rule->to & ACTOR_OPENER)
			cr_expect((rule->from & ~(unsigned)ACTOR_OPENER) == ACTOR_API, "%s", rule->name);
		if (rule->from == ACTOR_API)
			cr_expect(!(rule->to & (ACTOR_BROKER | ACTOR_HELPER)), "%s", rule->name);
		if (rule->to == ACTOR_HELPER)
			cr_expect((rule->from & ~(unsigned)(ACTOR_CORE | ACTOR_BROKER)) == 0, "%s", rule->name);
	}
}

/* Each row, in every combination of sender, receiver, phase and asked-or-not: allowed exactly
 * where the row says. */
Test(rules, senders_and_phases)
{
	for (unsigned i = 0; i < n_rules; i++) {
		const struct rule *rule = &rules[i];
		int fds[RULE_FDS];

		for (unsigned f = 0; f < rule->min_fds; f++)
			fds[f] = make(rule->kinds[f]);
		for (unsigned n = 0; n < N_ACTORS * N_ACTORS * 2 * 2; n++) {
			enum actor from = actors[n % N_ACTORS], to = actors[n / N_ACTORS % N_ACTORS];
			unsigned rest = n / (N_ACTORS * N_ACTORS);
			enum phase phase = rest % 2 ? PHASE_RUN : PHASE_SETUP;
			const struct rule *open = rule_of(BULKHEAD__PACKET__BODY_SEAL);
			bool ok = (rule->from & from) && (rule->to & to) && (rule->phases & phase);
			int r;

			if (rest / 2)
				open = rule->answer ? asked(rule) : open;
			else
				open = NULL;
			ok = ok && rule->answer == (open != NULL);
			r = rule_check(rule, from, to, phase, open, fds, rule->min_fds, NULL);
			cr_assert_eq(r, ok ? 0 : -EBADMSG, "%s %d->%d phase %d", rule->name, from,
				to, phase);
		}
		for (unsigned f = 0; f < rule->min_fds; f++)
			close(fds[f]);
	}
}

static int check(const struct rule *rule, const int *fds, unsigned n_fds)
{
	enum actor from = (enum actor)(rule->from & -rule->from);
	enum actor to = (enum actor)(rule->to & -rule->to);
	enum phase phase = rule->phases & PHASE_RUN ? PHASE_RUN : PHASE_SETUP;

	return rule_check(rule, from, to, phase, asked(rule), fds, n_fds, NULL);
}

Test(rules, descriptors_by_number_and_kind)
{
	for (unsigned i = 0; i < n_rules; i++) {
		const struct rule *rule = &rules[i];
		unsigned max = max_fds(rule);
		int fds[RULE_FDS + 1];

		for (unsigned f = 0; f <= RULE_FDS; f++)
			fds[f] = f < max ? make(rule->kinds[f]) : make(FD_KIND_EVENTFD);
		for (unsigned n = 0; n <= RULE_FDS + 1; n++)
			cr_assert_eq(check(rule, fds, n),
				n >= rule->min_fds && n <= max ? 0 : -EBADMSG, "%s with %u",
				rule->name, n);
		for (unsigned f = 0; f < max; f++) {
			int good = fds[f];

			if (rule->kinds[f] == FD_KIND_ANY)
				continue;
			fds[f] = make(FD_KIND_NONE);
			cr_assert_eq(check(rule, fds, max), -EBADMSG, "%s: kind %u", rule->name, f);
			close(fds[f]);
			fds[f] = good;
		}
		for (unsigned f = 0; f <= RULE_FDS; f++)
			close(fds[f]);
	}
}

Test(rules, an_answer_must_be_the_one_asked_for)
{
	for (unsigned i = 0; i < n_rules; i++) {
		for (unsigned j = 0; j < n_rules; j++) {
			const struct rule *ask = &rules[i], *answer = &rules[j];
			bool ok = answer->body == ask->answered ||
				answer->body == BULKHEAD__PACKET__BODY_REFUSED;
			int fds[RULE_FDS], r;

			if (!ask->deadline_ms || !answer->answer || (ask->phases & answer->phases) == 0)
				continue;
			for (unsigned f = 0; f < answer->min_fds; f++)
				fds[f] = make(answer->kinds[f]);
			r = rule_check(answer, (enum actor)(ask->to & -ask->to),
				(enum actor)(ask->from & -ask->from),
				(enum phase)(ask->phases & answer->phases & -(ask->phases &
					answer->phases)), ask, fds, answer->min_fds, NULL);
			for (unsigned f = 0; f < answer->min_fds; f++)
				close(fds[f]);
			if (!ok)
				cr_assert_eq(r, -EBADMSG, "%s to %s", answer->name, ask->name);
			else
				cr_assert_eq(r, 0, "%s to %s", answer->name, ask->name);
		}
	}
}

Test(rules, kinds_of_descriptors)
{
	static const enum fd_kind kinds[] = {FD_KIND_NONE, FD_KIND_RAM, FD_KIND_EVENTFD,
		FD_KIND_CHARDEV};
	enum { N = sizeof(kinds) / sizeof(kinds[0]) };
	int fd;

	for (unsigned made = 0; made < N; made++) {
		fd = make(kinds[made]);
		cr_assert_eq(fd_kind_check(fd, FD_KIND_ANY), 0);
		for (unsigned asked_for = 1; asked_for < N; asked_for++)
			cr_assert_eq(fd_kind_check(fd, kinds[asked_for]),
				made == asked_for ? 0 : -EBADMSG, "%u as %u", made, asked_for);
		close(fd);
	}
	cr_assert_eq(fd_kind_check(-1, FD_KIND_EVENTFD), -EBADMSG);
	fd = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
	cr_assert_eq(fd_kind_check(fd, FD_KIND_RAM), -EBADMSG, "seals can still be added");
	close(fd);
}
