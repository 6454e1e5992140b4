/* SPDX-License-Identifier: Apache-2.0
 *
 * A host that may say anything: every attribute, link, folder and file that is looked at is the
 * input's. Whatever it says, there is an answer, in words that are whole and harmless, and soon.
 *
 * fuzzes: helpers/host/address.c helpers/host/alias.c helpers/host/console.c helpers/host/disk.c
 * fuzzes: helpers/host/network.c helpers/host/obstacle.c helpers/host/open.c helpers/host/pci.c
 * fuzzes: helpers/host/place.c helpers/host/take.c helpers/host/vdpa.c helpers/host/way.c
 * links: helpers/host/address.c helpers/host/alias.c helpers/host/console.c helpers/host/disk.c
 * links: helpers/host/network.c helpers/host/obstacle.c helpers/host/open.c helpers/host/pci.c
 * links: helpers/host/place.c helpers/host/take.c helpers/host/vdpa.c helpers/host/way.c
 * max_len: 1024
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "helpers/host/host.h"

enum { FOLDER_MOST = 3, LOOKS_MOST = 20000 };

static struct input in;
static unsigned looks; /* of one question; a bound to what they cost */

/* What hosts say, so that it need not be guessed. */
static const char *const words[] = {"0000:00:10.0", "0000:00:10.1", "eth0", "br0", "lower_eth0",
	"upper_br0", "net", "259:0", "7:1", "9:2", "nvme0n1", "loop1", "md2", "dm", "vfio0", "virtfn0",
	"77", "nvme", "vfio-pci", "pci-stub", "1", "0x068000", "direct", "Y", "vhost-vdpa-0",
	"../../devices/pci0000:00/0000:00:10.0", "../../devices/pci0000:00/0000:00:10.0/net/eth0",
	"../../devices/pci0000:00/0000:00:10.0/nvme/nvme0/nvme0n1", "../../devices/virtual/block/md2",
	"../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1", "../../devices/virtual/vfio/5",
	"../../devices/pci0000:00/0000:00:10.0/vdpa0/vhost-vdpa-0", "vhost_vdpa", "vfio_pci", "5",
	"../../devices/virtual/net/br0", "pci:v00008086d00001572sv", "-1", "4294967296"};

static const char *const files[] = {"30 1 259:0 / /home rw - ext4 /dev/nvme0n1 rw\n",
	"30 1 0:45 / / rw - btrfs /dev/nvme0n1:/dev/x rw\n", "/dev/nvme0n1 partition 1 0\n",
	"eth0\t00000000\t0\t0003\t0\t0\t0\t00000000\n", "br0\t0000000A\t0\t0001\t0\t0\t0\t00FFFFFF\n",
	"00000000000000000000000000000000 00 0 00 0 0 0 0 00000003 eth0\n",
	"80000000-8 : 0000:00:10.0\n  8 : BOOTFB\n", "0x7b800000 0x7f7fffff direct\n",
	"alias vfio_pci:v00008086d*sv* x_vfio_pci\n", "Device Minor: 5\n"};

/* Raw bytes, or a word. */
static void say(char *ret, size_t size)
{
	unsigned code = (unsigned)take(&in, 1);
	struct input bytes;
	size_t n;

	if (code >= 0x80 && code - 0x80 < sizeof(words) / sizeof(words[0])) {
		snprintf(ret, size, "%s", words[code - 0x80]);
		return;
	}
	bytes = take_bytes(&in, code);
	n = (size_t)(bytes.end - bytes.at);
	n = n < size ? n : size - 1;
	if (n)
		memcpy(ret, bytes.at, n);
	ret[n] = '\0';
}

static bool there(void)
{
	return input_left(&in) && looks++ < LOOKS_MOST;
}

int attr_read(int root, char *ret, size_t size, const char *fmt, ...)
{
	(void)root, (void)fmt;
	ret[0] = '\0';
	if (!there())
		return -ENOENT;
	say(ret, size);
	return (int)strlen(ret);
}

int link_read(int root, char *ret, size_t size, const char *fmt, ...)
{
	(void)root, (void)fmt;
	ret[0] = '\0';
	if (!there() || take(&in, 1) == 0)
		return -ENOENT;
	say(ret, size);
	return 0;
}

int link_name(int root, char *ret, size_t size, const char *fmt, ...)
{
	char target[512], *name;

	(void)root, (void)fmt;
	ret[0] = '\0';
	if (!there() || take(&in, 1) == 0)
		return -ENOENT;
	say(target, sizeof(target));
	name = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
	if (strlen(name) >= size)
		return -ENAMETOOLONG;
	strcpy(ret, name);
	return 0;
}

bool is_there(int root, const char *fmt, ...)
{
	(void)root, (void)fmt;
	return there() && take(&in, 1) & 1;
}

char *file_text(int root, const char *fmt, ...)
{
	char *text = malloc(1024);
	size_t n = 0;

	(void)root, (void)fmt;
	if (!there() || !text) {
		free(text);
		return NULL;
	}
	text[0] = '\0';
	for (unsigned left = (unsigned)take(&in, 1) & 7; left; left--) {
		unsigned code = (unsigned)take(&in, 1);

		if (code < sizeof(files) / sizeof(files[0]))
			snprintf(text + n, 1024 - n, "%s", files[code]);
		else
			say(text + n, (1024 - n) / 2 + 1);
		n += strlen(text + n);
	}
	return text;
}

int file_has(int root, const char *path, const char *what)
{
	(void)root, (void)path, (void)what;
	return (int)take(&in, 1) % 3 - 1;
}

int node_stat(int root, struct stat *ret, const char *fmt, ...)
{
	static const mode_t kinds[] = {S_IFBLK, S_IFCHR, S_IFREG};

	(void)root, (void)fmt;
	memset(ret, 0, sizeof(*ret));
	if (!there())
		return -ENOENT;
	ret->st_mode = kinds[take(&in, 1) % 3] | 0600;
	ret->st_rdev = (dev_t)take_number(&in);
	return 0;
}

bool node_may_open(int root, const char *path)
{
	(void)root, (void)path;
	return take(&in, 1) & 1;
}

struct folder folder_of(int root, const char *fmt, ...)
{
	struct folder folder = {0};
	int n;

	(void)root, (void)fmt;
	if (!there())
		return folder;
	n = (int)(take(&in, 1) % (FOLDER_MOST + 1));
	folder.entries = malloc(sizeof(*folder.entries) * FOLDER_MOST);
	while (folder.entries && folder.n < n) {
		struct dirent *entry = calloc(1, sizeof(*entry));

		require(entry);
		entry->d_type = take(&in, 1) & 1 ? DT_DIR : DT_LNK;
		say(entry->d_name, 64);
		folder.entries[folder.n++] = entry;
	}
	return folder;
}

struct folder folder_sorted(int root, const char *fmt, ...)
{
	return folder_of(root, "%s", fmt);
}

void folder_close(struct folder *folder)
{
	while (folder->n > 0)
		free(folder->entries[--folder->n]);
	free(folder->entries);
	folder->entries = NULL;
}

/* Config space is read by its descriptor. */
int openat(int dir, const char *path, int flags, ...)
{
	(void)dir, (void)path, (void)flags;
	errno = ENOENT;
	return there() && take(&in, 1) & 1 ? dup(STDERR_FILENO) : -1;
}

ssize_t pread(int fd, void *buf, size_t len, off_t offset)
{
	struct input bytes = take_bytes(&in, take(&in, 1));

	(void)fd, (void)offset;
	memset(buf, 0, len);
	if (bytes.end > bytes.at)
		memcpy(buf, bytes.at, (size_t)(bytes.end - bytes.at));
	return (ssize_t)(take(&in, 1) & 1 ? len : 64);
}

static bool claimed(const struct host *host, const char *node)
{
	(void)host, (void)node;
	return take(&in, 1) & 1;
}

static void check_words(const char *text, size_t size)
{
	require(text[0] && memchr(text, '\0', size));
}

static void check(const struct verdict *verdict, const char *name)
{
	char what[400];
	struct err err;

	require(verdict->n <= OBSTACLES);
	for (unsigned i = 0; i < verdict->n; i++) {
		const struct obstacle *o = &verdict->obstacles[i];

		check_words(o->next, sizeof(o->next));
		require(memchr(o->thing, '\0', sizeof(o->thing)) && memchr(o->how, '\0', sizeof(o->how)));
		for (const char *c = o->thing; *c; c++)
			require((unsigned char)*c >= 0x20 && *c != 0x7f);
		obstacle_what(o, name, what, sizeof(what));
		check_words(what, sizeof(what));
		require(obstacle_refuse(o, name, -EBUSY, &err) == -EBUSY);
		require(obstacle_keep(o, name, true, -EBUSY, &err) == -EBUSY);
		check_words(err.msg, sizeof(err.msg));
		require(obstacle_word(o->kind) && advice_word(o->advice));
	}
	require(way_word(verdict->way));
}

static void check_address(const char *text)
{
	struct pci_address address, again;
	char written[PCI_ADDRESS], twice[PCI_ADDRESS];

	if (pci_address_parse(text, &address) < 0)
		return;
	pci_address_write(&address, written);
	require(pci_address_parse(written, &again) == 0);
	pci_address_write(&again, twice);
	require(strcmp(written, twice) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host host = host_at(0);
	struct verdict verdict;
	struct vdpa_device vdpa;
	struct function f;
	char text[128];
	struct stat st;

	in = input_of(data, size);
	looks = 0;
	host.claimed = take(&in, 1) & 1 ? claimed : NULL;
	say(text, sizeof(text));
	check_address(text);
	if (pci_read(0, "0000:00:10.0", &f, NULL) == 0) {
		take_pci(&host, &f, TAKE_ALL, &verdict);
		check(&verdict, f.name);
		take_from_host(&host, &f, &verdict);
		check(&verdict, f.name);
		pci_group_with(0, &f, text, sizeof(text));
		vfio_module_for(0, &f, vdpa.name);
		require(!strchr(vdpa.name, '/'));
	}
	memset(&st, 0, sizeof(st));
	st.st_mode = S_IFCHR;
	if (vdpa_of_node(0, &st, &vdpa) == 0) {
		take_vdpa(&host, &vdpa, &verdict);
		check(&verdict, vdpa.name);
	}
	host_close(&host);
	return 0;
}
