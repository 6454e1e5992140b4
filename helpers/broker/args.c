/* SPDX-License-Identifier: Apache-2.0
 *
 * The broker's command line, written by the core (vmm/broker.c): words in pairs. Broker process,
 * first thing. What an operator typed was checked there; strings point into argv.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers/broker/broker.h"
#include "seccomp/layers.h"

/* kind=K,id=I[,path=P][,num_queues=N] */
static int set_device(struct broker *broker, char *text)
{
	enum { KIND, ID, PATH, NUM_QUEUES };
	char *const keys[] = {[KIND] = (char[]){"kind"}, [ID] = (char[]){"id"},
		[PATH] = (char[]){"path"}, [NUM_QUEUES] = (char[]){"num_queues"}, NULL};
	struct device *device = &broker->devices[broker->n_devices];
	char *value;

	if (broker->n_devices == DEVICES_MAX)
		return -EINVAL;
	*device = (struct device){.group = -1, .pidfd = FD_NONE_INIT, .log = FD_NONE_INIT,
		.store = FD_NONE_INIT, .cgroup = FD_NONE_INIT, .node = FD_NONE_INIT,
		.chan.sock = FD_NONE_INIT};
	while (*text) {
		switch (getsubopt(&text, keys, &value)) {
		case KIND: device->kind = value; break;
		case ID: device->id = value; break;
		case PATH: device->path = value; break;
		case NUM_QUEUES: device->num_queues = value ? (unsigned)atoi(value) : 0; break;
		default: return -EINVAL;
		}
	}
	if (!device->kind || !device->id || strlen(device->id) >= NAME_MAX_BYTES ||
		strlen(device->kind) >= 16 || strchr(device->kind, '/'))
		return -EINVAL;
	broker->n_devices++;
	return 0;
}

static int set_level(struct broker *broker, char *text)
{
	int level = atoi(text);

	broker->level = level < LOG_DEBUG ? (enum log_level)level : LOG_DEBUG;
	return 0;
}

static int set_seccomp(struct broker *broker, char *text)
{
	return policy_mode_parse(text, &broker->mode);
}

static int set_layers(struct broker *broker, char *text)
{
	(void)broker;
	return layers_parse(text);
}

static int set_user(struct broker *broker, char *text)
{
	broker->has_user = sscanf(text, "%u:%u", &broker->uid, &broker->gid) == 2;
	return broker->has_user ? 0 : -EINVAL;
}

static int set_cgroup(struct broker *broker, char *text)
{
	broker->cgroup = text;
	return 0;
}

static int set_iommufd(struct broker *broker, char *text)
{
	static const char *const words[] = {[IOMMUFD_AUTO] = "auto", [IOMMUFD_ON] = "on",
		[IOMMUFD_OFF] = "off"};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i]) != 0)
			continue;
		broker->want_iommufd = (enum iommufd_mode)i;
		return 0;
	}
	return -EINVAL;
}

static const struct {
	const char *name;
	int (*set)(struct broker *broker, char *text);
} args[] = {
	{"--level", set_level},
	{"--seccomp", set_seccomp},
	{"--layers", set_layers},
	{"--user", set_user},
	{"--cgroup", set_cgroup},
	{"--iommufd", set_iommufd},
	{"--device", set_device},
};

static int set(struct broker *broker, const char *name, char *text)
{
	for (unsigned i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
		if (strcmp(name, args[i].name) == 0)
			return args[i].set(broker, text);
	}
	return -EINVAL;
}

int args_parse(int argc, char **argv, struct broker *broker)
{
	int r = argc % 2 ? 0 : -EINVAL;

	for (int i = 1; i < argc && r == 0; i += 2)
		r = set(broker, argv[i], argv[i + 1]);
	return r;
}
