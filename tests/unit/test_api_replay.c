/* SPDX-License-Identifier: Apache-2.0
 *
 * What clients send, byte by byte and segment by segment, as tests/replays/ has it, to
 * build/bulkhead-api; each answer is compared. A script, line by line:
 *
 *   # words          for people
 *   connect NAME     go on with this connection, made where it is new; at first there is one
 *   > bytes          of the segment, \r \n \\ \xNN
 *   fd               a descriptor rides on it
 *   send             it leaves
 *   < STATUS         the answer: the head and nothing else
 *   < STATUS BODY    with this body
 *   < STATUS ~ BODY  with this somewhere in it
 *   pty PATH         the terminal the opener makes
 *   live             the VM runs already: it is the command line's
 *   poweroff         the guest switches itself off, and all ends with it
 *   ends             the process ends, with exit status 0
 */
#include "tests/unit/api_client.h"

static void begin(void)
{
	api.ejects = true;
	api_begin();
}

TestSuite(api_replay, .init = begin, .timeout = 240);

enum { NAMES = 32 };

static struct {
	const char *script;
	unsigned line;
	char names[NAMES][32];
	int socks[NAMES];
	unsigned n, at;
	char segment[65536];
	size_t len;
	bool fd;
} replay;

#define expect(claim, ...)                                                                         \
	cr_assert(claim, "%s:%u: " #claim ": %s", replay.script, replay.line, heard)

static void go_on_with(const char *name)
{
	for (replay.at = 0; replay.at < replay.n; replay.at++)
		if (strcmp(replay.names[replay.at], name) == 0)
			return;
	expect(replay.n < NAMES);
	snprintf(replay.names[replay.n], sizeof(replay.names[0]), "%s", name);
	replay.socks[replay.n++] = client();
}

static void add_bytes(const char *text)
{
	for (; *text; text++) {
		unsigned value;
		char c = *text;

		if (c == '\\') {
			c = *++text;
			if (c == 'r')
				c = '\r';
			else if (c == 'n')
				c = '\n';
			else if (c == 'x' && sscanf(text + 1, "%2x", &value) == 1) {
				c = (char)value;
				text += 2;
			}
		}
		expect(replay.len < sizeof(replay.segment));
		replay.segment[replay.len++] = c;
	}
}

static void send_segment(void)
{
	fd_owned null = {open("/dev/null", O_RDWR | O_CLOEXEC)};

	say_with(replay.socks[replay.at], replay.segment, replay.len, &null.n, replay.fd);
	play_until(-1, 2); /* so that it is one to the reader, too */
	replay.len = 0;
	replay.fd = false;
}

static void compare(const char *status, const char *body)
{
	char want[65536];
	bool piece = body && strncmp(body, "~ ", 2) == 0;

	hear(replay.socks[replay.at]);
	if (strcmp(status, "204") == 0)
		snprintf(want, sizeof(want), "HTTP/1.1 204 \r\nServer: Cloud Hypervisor API\r\n"
			"Connection: keep-alive\r\n\r\n");
	else
		snprintf(want, sizeof(want), "HTTP/1.1 %s \r\nServer: Cloud Hypervisor API\r\n"
			"Connection: keep-alive\r\nContent-Type: application/json\r\n"
			"Content-Length: %zu\r\n\r\n%s", status,
			piece ? strlen(body_of_answer()) : body ? strlen(body) : 0,
			piece ? body_of_answer() : body ? body : "");
	expect(strcmp(heard, want) == 0);
	expect(!piece || strstr(body_of_answer(), body + 2));
}

/* The api meets a VM that runs. */
static void make_live(void)
{
	play_until(-1, 50);
	kill(api.pid, SIGKILL);
	waitpid(api.pid, NULL, 0);
	fd_close(&api.words);
	chan_close(&api.opener);
	for (unsigned i = 0; i < replay.n; i++)
		close(replay.socks[i]);
	replay.n = 0;
	api.life = VM_LIFE_LIVE;
	api.started = true;
	api_starts(true);
	core_begins();
	go_on_with("main");
	play_until(-1, 50);
}

static void obey(char *line)
{
	char *rest = strchr(line, ' ');
	int status;

	if (rest)
		*rest++ = '\0';
	if (strcmp(line, "connect") == 0) {
		go_on_with(rest);
	} else if (strcmp(line, ">") == 0) {
		add_bytes(rest);
	} else if (strcmp(line, "fd") == 0) {
		replay.fd = true;
	} else if (strcmp(line, "send") == 0) {
		send_segment();
	} else if (strcmp(line, "<") == 0) {
		char *body = strchr(rest, ' ');

		if (body)
			*body++ = '\0';
		compare(rest, body);
	} else if (strcmp(line, "pty") == 0) {
		api.serial_pty = strdup(rest);
	} else if (strcmp(line, "live") == 0) {
		make_live();
	} else if (strcmp(line, "poweroff") == 0) {
		core_ends();
		tell_life(VM_LIFE_OVER);
	} else if (strcmp(line, "ends") == 0) {
		status = api_ends();
		expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		api.pid = 0;
	} else {
		expect(!"a line nobody knows");
	}
}

static void play(const char *name)
{
	char path[PATH_MAX], line[65536];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);
	FILE *file;

	replay.script = name;
	path[n] = '\0';
	for (file = NULL; !file && strrchr(path, '/'); ) { /* from build/tests/ up to the tree */
		*strrchr(path, '/') = '\0';
		snprintf(line, sizeof(line), "%s/tests/replays/%s", path, name);
		file = fopen(line, "re");
	}
	cr_assert(file, "tests/replays/%s: %s", name, strerror(errno));
	go_on_with("main");
	while (fgets(line, sizeof(line), file)) {
		replay.line++;
		line[strcspn(line, "\n")] = '\0';
		if (line[0] && line[0] != '#')
			obey(line);
	}
	fclose(file);
	if (api.pid)
		api_end();
}

#define REPLAY(test, script)                                                                       \
	Test(api_replay, test)                                                                     \
	{                                                                                          \
		play(script);                                                                      \
	}

REPLAY(kata_go, "kata-go")
REPLAY(kata_go_devices, "kata-go-devices")
REPLAY(kata_runtime_rs, "kata-runtime-rs")
REPLAY(libvirt, "libvirt")
REPLAY(ironcore, "ironcore")
REPLAY(nomad_ccheshirecat, "nomad-ccheshirecat")
REPLAY(nomad_kittengrid, "nomad-kittengrid")
REPLAY(microvm_nix, "microvm-nix")
REPLAY(ch_remote, "ch-remote")
