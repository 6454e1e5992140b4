/* SPDX-License-Identifier: Apache-2.0
 *
 * Is the host's console on this device? The display its firmware began on, the framebuffer with the
 * text console, or a serial line of its own.
 *
 * The boot framebuffer is looked for in /proc/iomem, inside a BAR of the function: while it is there
 * VFIO gets neither a mapping of that BAR nor access to it (pci_request_selected_regions fails).
 * Without rights the addresses are zeros, so the lines' depth is what counts.
 */
#include "helpers/host/uses.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who holds the memory the firmware draws to: what drivers/firmware/sysfb_simplefb.c made of it, or
 * a driver, by its own name. */
static const struct {
	const char *name, *driver, *device; /* the driver's folder and device, where unbinding it is
	                                     * enough */
} holders[] = {
	{"BOOTFB", NULL, NULL},
	{"efifb", "efi-framebuffer", "efi-framebuffer.0"},
	{"vesafb", "vesa-framebuffer", "vesa-framebuffer.0"},
	{"simple-framebuffer", NULL, NULL},
	{"simplefb", NULL, NULL},
	{"simpledrm", NULL, NULL},
	{"efidrm", NULL, NULL},
	{"vesadrm", NULL, NULL},
};

static void advise_holder(int root, unsigned holder, struct obstacle *ret)
{
	if (holders[holder].driver && is_there(root, "sys/bus/platform/drivers/%s/%s",
			holders[holder].driver, holders[holder].device))
		obstacle_advise(ret, ADVICE_COMMAND, "echo %s >/sys/bus/platform/drivers/%s/unbind",
			holders[holder].device, holders[holder].driver);
	else
		obstacle_advise(ret, ADVICE_SETTING, "boot the host with "
			"`initcall_blacklist=sysfb_init` in the kernel's command line");
}

/* The name in a line of /proc/iomem, and how deep it is; NULL: not such a line. */
static const char *iomem_line(const char *line, unsigned *ret_depth)
{
	const char *name = strstr(line, " : ");

	*ret_depth = (unsigned)strspn(line, " ");
	return name ? name + 3 : NULL;
}

bool framebuffer_in_bar(int root, const char *name, struct obstacle *ret)
{
	text_owned text = file_text(root, "proc/iomem");
	unsigned depth, bar = 0;
	bool inside = false;

	for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
		const char *what = iomem_line(line, &depth);

		if (!what)
			continue;
		if (!inside || depth <= bar) {
			inside = strcmp(what, name) == 0;
			bar = depth;
			continue;
		}
		for (unsigned i = 0; i < sizeof(holders) / sizeof(holders[0]); i++) {
			if (strcmp(what, holders[i].name) != 0)
				continue;
			obstacle_set(ret, OBSTACLE_FRAMEBUFFER, what, "");
			advise_holder(root, i, ret);
			return true;
		}
	}
	return false;
}

/* The first framebuffer, while the text console is on framebuffers. */
static bool has_text_console(int root, const struct place *place)
{
	folder_owned consoles = folder_of(root, "sys/class/vtconsole");
	char target[PATH_MAX], name[WORD], bound[4];

	if (link_read(root, target, sizeof(target), "sys/class/graphics/fb0") < 0 ||
		!place_has(place, target))
		return false;
	for (int i = 0; i < consoles.n; i++) {
		const char *console = consoles.entries[i]->d_name;

		attr_read(root, name, sizeof(name), "sys/class/vtconsole/%s/name", console);
		attr_read(root, bound, sizeof(bound), "sys/class/vtconsole/%s/bind", console);
		if (strstr(name, "frame buffer") && bound[0] == '1')
			return true;
	}
	return false;
}

/* A serial line among the kernel's consoles. */
static bool has_serial_console(int root, const struct place *place, char ret[static WORD])
{
	char active[256], target[PATH_MAX], *rest = active, *name;

	attr_read(root, active, sizeof(active), "sys/class/tty/console/active");
	while ((name = strsep(&rest, " "))) {
		if (!name[0] || strlen(name) >= WORD ||
			link_read(root, target, sizeof(target), "sys/class/tty/%s", name) < 0 ||
			!place_has(place, target))
			continue;
		strcpy(ret, name);
		return true;
	}
	return false;
}

bool console_in_use(struct host *host, const struct place *place, const char *name,
	struct obstacle *ret)
{
	char text[WORD] = "";
	bool found = true;

	if (name)
		attr_read(host->root, text, sizeof(text), SYS_PCI "/%s/boot_vga", name);
	if (text[0] == '1')
		obstacle_set(ret, OBSTACLE_CONSOLE, "boot_vga", "");
	else if (has_text_console(host->root, place))
		obstacle_set(ret, OBSTACLE_CONSOLE, "fb0", "");
	else if (has_serial_console(host->root, place, text))
		obstacle_set(ret, OBSTACLE_CONSOLE, text, "");
	else if (name && framebuffer_in_bar(host->root, name, ret))
		obstacle_set(ret, OBSTACLE_CONSOLE, ret->thing, "");
	else
		found = false;
	if (found)
		obstacle_advise(ret, ADVICE_NONE, "the host would lose it");
	return found;
}
