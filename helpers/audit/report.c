/* SPDX-License-Identifier: Apache-2.0
 *
 * What was found, for people and for machines. bulkhead-audit.
 *
 * Texts are printable ASCII by now (finding); JSON only needs quotes and backslashes escaped.
 */
#include <stdio.h>
#include <string.h>

#include "helpers/audit/audit.h"

static const char *const words[VERDICTS] = {
	[VERDICT_OK] = "ok", [VERDICT_NOT_HERE] = "not here", [VERDICT_UNSEEN] = "unseen",
	[VERDICT_UNKNOWN] = "unknown", [VERDICT_WEAK] = "WEAK",
};

static int count(const struct audit *audit, unsigned ret[VERDICTS])
{
	memset(ret, 0, VERDICTS * sizeof(ret[0]));
	for (unsigned i = 0; i < audit->n; i++)
		for (unsigned k = 0; k < audit->processes[i].n; k++)
			ret[audit->processes[i].findings[k].verdict]++;
	return ret[VERDICT_WEAK] ? 1 : ret[VERDICT_UNKNOWN] ? 2 : 0;
}

static const char *role(const struct process *process)
{
	return process->promise ? process->promise->name : "stranger";
}

int report_text(const struct audit *audit)
{
	unsigned n[VERDICTS];
	int status = count(audit, n);

	for (unsigned i = 0; i < audit->n; i++) {
		const struct process *process = &audit->processes[i];

		printf("%s%d %s: %s\n", i ? "\n" : "", process->pid, process->binary,
			role(process));
		for (unsigned k = 0; k < process->n; k++) {
			const struct finding *f = &process->findings[k];

			printf("  %-8s  %-15s  %s\n", words[f->verdict], f->what, f->text);
		}
	}
	printf("\n%u processes: %u ok, %u not here, %u unseen, %u unknown, %u weak\n", audit->n,
		n[VERDICT_OK], n[VERDICT_NOT_HERE], n[VERDICT_UNSEEN], n[VERDICT_UNKNOWN],
		n[VERDICT_WEAK]);
	if (status == 1)
		printf("weaker than promised, see WEAK above\n");
	else if (status == 2)
		printf("not all of it could be read: run it as root, in the host's namespaces\n");
	return status;
}

static void string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('"');
}

static void member(const char *key, const char *value, const char *end)
{
	printf("\"%s\": ", key);
	string(value);
	printf("%s", end);
}

int report_json(const struct audit *audit)
{
	unsigned n[VERDICTS];
	int status = count(audit, n);

	printf("{\"version\": \"%s\", \"launcher\": %d, \"status\": %d, \"processes\": [",
		BULKHEAD_VERSION, audit->launcher, status);
	for (unsigned i = 0; i < audit->n; i++) {
		const struct process *process = &audit->processes[i];

		printf("%s\n  {\"pid\": %d, \"parent\": %d, ", i ? "," : "", process->pid,
			process->parent);
		member("binary", process->binary, ", ");
		member("role", role(process), ", ");
		member("sha256", process->digest, ", \"findings\": [");
		for (unsigned k = 0; k < process->n; k++) {
			const struct finding *f = &process->findings[k];

			printf("%s\n    {", k ? "," : "");
			member("check", f->what, ", ");
			member("verdict", f->verdict == VERDICT_WEAK ? "weak" : words[f->verdict],
				", ");
			member("detail", f->text, "}");
		}
		printf("]}");
	}
	printf("]}\n");
	return status;
}
