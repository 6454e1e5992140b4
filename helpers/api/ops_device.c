/* SPDX-License-Identifier: Apache-2.0
 *
 * Devices that come and go, and sizes. bulkhead-api.
 *
 * In a VM that is created both are an edit. In one that runs, a device comes by the opener, which has
 * its helper started, and is there when the core says so; it leaves by the core, which asks the
 * guest, and the opener is told so that it is not there at the next boot.
 */
#include "helpers/api/ops_device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "helpers/api/config.h"
#include "helpers/api/info.h"
#include "helpers/api/ops.h"
#include "helpers/api/reply.h"
#include "helpers/api/vm.h"

static bool is_live(void)
{
	return vm_state() == VM_RUNNING || vm_state() == VM_PAUSED;
}

/* ---- resize ---- */

static int check_resize(const json_t *want, struct err *err)
{
	static const char *const names[] = {"desired_vcpus", "desired_ram"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const json_t *value = json_object_get(want, names[i]);

		if (value && json_integer_value(value) == 0)
			return err_set(err, -EINVAL, BLAME_HOST, "%s: 0 is none; leave it out", names[i]);
	}
	if (json_integer_value(json_object_get(want, "desired_balloon")))
		return err_set(err, -ENOTSUP, BLAME_HOST, "there is no balloon; leave it out");
	return 0;
}

static uint64_t wanted(const json_t *want, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(want, name));
}

/* Of a VM that runs: what it has already is no change. */
static int resize_live(struct conn *conn, uint64_t vcpus, uint64_t memory, struct err *err)
{
	json_t *config = config_tree();

	if ((vcpus && vcpus != config_number(config, "cpus", "boot_vcpus")) ||
		(memory && memory != config_number(config, "memory", "size")))
		return err_set(err, -ENOTSUP, BLAME_HOST, "vCPUs and memory of a VM that runs stay as "
			"they are; use vm.shutdown, vm.resize and vm.boot");
	reply_done(conn);
	return 0;
}

int resize_begin(struct conn *conn, struct err *err)
{
	Bulkhead__ApiResize resize = BULKHEAD__API_RESIZE__INIT;
	json_t *want = reply_body(conn, err);
	int r = want ? check_resize(want, err) : err->code;

	if (r < 0)
		return r;
	resize.vcpus = (uint32_t)wanted(want, "desired_vcpus");
	resize.memory = wanted(want, "desired_ram");
	if (is_live())
		return resize_live(conn, resize.vcpus, resize.memory, err);
	return link_ask(&opener, conn, &PACKET(API_RESIZE, api_resize, &resize), NULL, 0, err);
}

void resize_answered(struct conn *conn, const struct msg *msg)
{
	struct err err;
	json_t *want = reply_body(conn, &err);

	(void)msg;
	config_resize(wanted(want, "desired_vcpus"), wanted(want, "desired_ram"));
	reply_done(conn);
}

/* ---- add ---- */

static const struct device_list *list_of(const struct conn *conn)
{
	return &device_lists[conn->request.call == CALL_ADD_VDPA];
}

/* The device as it came, with the id it has been given. */
static json_t *device_of(const struct conn *conn, struct err *err)
{
	json_t *device = reply_body(conn, err);

	if (!device)
		return NULL;
	if (conn->n_fds)
		json_object_set_new(device, "fd", json_integer(-1));
	if (conn->request.id[0])
		json_object_set_new(device, "id", json_string(conn->request.id));
	return device;
}

/* What the rules of ipc/ let a device's descriptor be: another kind would end us and not the client. */
static int check_fd(const struct conn *conn, struct err *err)
{
	if (!conn->n_fds || fd_kind_check(conn->fds[0].n, FD_KIND_CHARDEV) == 0)
		return 0;
	return err_set(err, -EINVAL, BLAME_HOST, "the descriptor sent is no device; open the node in "
		"/dev/vfio/devices or /dev/vhost-vdpa-N, and send that");
}

/* May the VM have it? Its id is known then. */
static int check_add(struct conn *conn, json_t *device, struct err *err)
{
	const struct device_list *list = list_of(conn);
	json_t *config = config_tree();
	int r;

	if (!json_object_get(config, list->name))
		json_object_set_new(config, list->name, json_array());
	json_array_append(json_object_get(config, list->name), device);
	r = config_name_devices(config, err);
	if (r == 0)
		r = config_check(config, err);
	if (r == 0)
		r = config_fits(config, err);
	snprintf(conn->request.id, sizeof(conn->request.id), "%s", config_word(device, "id"));
	return r;
}

int add_begin(struct conn *conn, struct err *err)
{
	Bulkhead__ApiDevice device;
	Bulkhead__ApiAdd add = BULKHEAD__API_ADD__INIT;
	json_t *tree = device_of(conn, err);
	int r = tree ? check_fd(conn, err) : err->code;

	if (r == 0)
		r = check_add(conn, tree, err);
	if (r < 0)
		return r;
	config_device_to_wire(tree, list_of(conn)->kind, &device);
	add.device = &device;
	return link_ask(&opener, conn, &PACKET(API_ADD, api_add, &add), &conn->fds[0].n,
		conn->n_fds, err);
}

void add_look(struct conn *conn)
{
	struct vm_device *device = vm_device(conn->request.id);
	struct err err;

	if (device && device->here) {
		reply_with(conn, info_device(answer_body(&conn->answer), ANSWER_BODY, device));
		return;
	}
	if (device && !device->failed[0])
		return;
	err_set(&err, -EIO, BLAME_HOST, "%s", device ? device->failed
		: "it left, or the VM ended, before the guest had it; see the log");
	if (device) {
		device->used = false;
		config_drop(conn->request.id); /* its failure may have come before our answer */
	}
	reply_error(conn, &err);
}

void add_answered(struct conn *conn, const struct msg *msg)
{
	struct err err;
	json_t *device = device_of(conn, &err);

	(void)msg;
	if (config_add(list_of(conn)->name, device, &err) < 0 || !is_live()) {
		reply_done(conn);
		return;
	}
	conn->request.stage = REQUEST_HAPPENS;
	conn->request.due_ms = clock_ms() + PLUG_WAIT_MS;
	add_look(conn);
}

/* ---- remove ---- */

static int no_such_device(const char *id, struct err *err)
{
	if (is_live())
		return err_set(err, -ENOENT, BLAME_HOST, "Error from device manager\nFailed to find "
			"device corresponding to the given identifier: %.64s", id);
	return err_set(err, -ENOENT, BLAME_HOST, "No device with id \"%.64s\" to remove", id);
}

static int ask_unplug(struct conn *conn, struct err *err)
{
	Bulkhead__LifeUnplug unplug = BULKHEAD__LIFE_UNPLUG__INIT;
	struct vm_device *device = vm_device(conn->request.id);

	if (!device)
		return no_such_device(conn->request.id, err);
	if (!device->here)
		return err_set(err, -EAGAIN, BLAME_HOST, "it is just being added; try again");
	unplug.slot = vm_slot(device);
	unplug.generation = device->generation;
	return link_ask(&core, conn, &PACKET(LIFE_UNPLUG, life_unplug, &unplug), NULL, 0, err);
}

static int ask_remove(struct conn *conn, struct err *err)
{
	Bulkhead__ApiRemove remove = BULKHEAD__API_REMOVE__INIT;

	remove.id = conn->request.id;
	return link_ask(&opener, conn, &PACKET(API_REMOVE, api_remove, &remove), NULL, 0, err);
}

enum { REMOVE_FIRST, REMOVE_FORGET, REMOVE_FORGOTTEN };

/* Of a live VM: asked of the core first, and told to the opener in a second turn. */
int remove_begin(struct conn *conn, struct err *err)
{
	struct request *request = &conn->request;
	json_t *body;
	int r;

	if (request->step == REMOVE_FIRST) {
		body = reply_body(conn, err);
		if (!body)
			return err->code;
		snprintf(request->id, sizeof(request->id), "%s", config_word(body, "id"));
		if (!config_list_of(config_tree(), config_word(body, "id")))
			return no_such_device(config_word(body, "id"), err);
		if (is_live())
			return ask_unplug(conn, err);
	}
	r = ask_remove(conn, err);
	if (r == 0)
		request->step = REMOVE_FORGOTTEN;
	return r;
}

void remove_answered(struct conn *conn, const struct msg *msg)
{
	struct vm_device *device = vm_device(conn->request.id);

	(void)msg;
	if (conn->request.step == REMOVE_FIRST) {
		if (device)
			device->state = PLUG_STATE_REMOVING;
		conn->request.step = REMOVE_FORGET;
		conn->request.stage = REQUEST_WAITS;
		return;
	}
	if (!device)
		config_drop(conn->request.id);
	reply_done(conn);
}

/* Gone before it could be told to go. */
bool remove_refused(struct conn *conn, int code)
{
	if (conn->request.step != REMOVE_FORGOTTEN || code != -ENOENT || !is_live())
		return false;
	reply_done(conn);
	return true;
}
