/* SPDX-License-Identifier: Apache-2.0
 *
 * The API's asks, one at a time. Core process, main thread.
 *
 * An event that says what came of an ask is told before the ask is answered. An api that takes no event is
 * none of the VM's business: it asks anew when it is started anew.
 */
#include "vmm/operate.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ipc/log.h"
#include "vmm/pause.h"

/* An interrupt message that is an NMI (SDM 3A 11.11, delivery mode 100b). */
#define MSI_ADDRESS 0xfee00000u
#define MSI_DATA_NMI 0x400u

void operate_init(struct operate *operate, struct vm *vm, const struct cpus *cpus, struct devices *devices,
	struct platform *platform)
{
	operate->vm = vm;
	operate->cpus = cpus;
	operate->devices = devices;
	operate->platform = platform;
	operate->api.sock = FD_NONE_INIT;
}

void operate_dealt(struct operate *operate, struct fd sock)
{
	chan_close(&operate->api);
	operate->rebooting = false; /* whoever asked is gone */
	chan_init(&operate->api, sock, ACTOR_CORE, ACTOR_API, "api");
}

static void tell(struct operate *operate, Bulkhead__Packet *packet)
{
	if (chan_is_open(&operate->api) && chan_tell(&operate->api, packet) == -EAGAIN)
		log_warn("the API takes no news: it is not told of what has become of the VM");
}

/* Of the messages without fields. */
#define TELL(operate, CASE, field, Type)                                                           \
	do {                                                                                       \
		Bulkhead__##Type body_ = BULKHEAD__##CASE##__INIT;                                 \
		tell(operate, &PACKET(CASE, field, &body_));                                       \
	} while (0)

void operate_started(struct operate *operate)
{
	operate->ready = true;
	TELL(operate, LIFE_STARTED, life_started, LifeStarted);
}

void operate_failed(struct operate *operate, const char *why)
{
	Bulkhead__LifeFailed body = BULKHEAD__LIFE_FAILED__INIT;

	body.why = (char *)(uintptr_t)why;
	tell(operate, &PACKET(LIFE_FAILED, life_failed, &body));
}

/* A device that does not go on is failed; the VM goes on without it. */
static void go_on(struct operate *operate)
{
	struct err one = {0};

	if (operate->paused && vm_resume(operate->vm, operate->devices, &one) < 0)
		log_error("%s", one.msg);
	operate->paused = false;
}

/* It is paused no more; its vCPUs are kept where they are by the request for it (vcpus_resume). */
void operate_rebooting(struct operate *operate)
{
	go_on(operate);
	operate->ready = false;
	TELL(operate, LIFE_REBOOTING, life_rebooting, LifeRebooting);
}

void operate_rebooted(struct operate *operate)
{
	operate->ready = true;
	TELL(operate, LIFE_REBOOTED, life_rebooted, LifeRebooted);
	if (operate->rebooting)
		chan_done(&operate->api, &operate->ask);
	operate->rebooting = false;
}

/* ---- asks. 0: done; 1: it will be; or -errno --------------------------------------------------- */

static int pause_vm(struct operate *operate, struct err *err)
{
	int r = operate->paused ? 0 : vm_pause(operate->vm, operate->devices, err);

	if (r < 0)
		return r;
	operate->paused = true;
	TELL(operate, LIFE_PAUSED, life_paused, LifePaused);
	return 0;
}

static int resume_vm(struct operate *operate)
{
	go_on(operate);
	TELL(operate, LIFE_RESUMED, life_resumed, LifeResumed);
	return 0;
}

static int reboot(struct operate *operate)
{
	operate->rebooting = true;
	vm_ask(operate->vm, VM_RESET);
	return 1;
}

static int press_power(const struct operate *operate, struct err *err)
{
	if (platform_press_power(operate->platform))
		return 0;
	return err_set(err, -ENOTCONN, BLAME_GUEST, "the guest does not listen to its power button; "
		"vm.shutdown ends it");
}

/* To every processor: who asks for it wants to know where each of them is. */
static int send_nmi(const struct operate *operate, struct err *err)
{
	const struct vm *vm = operate->vm;

	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		const unsigned id = cpus_apic_id(operate->cpus, i);
		struct kvm_msi msi = {.address_lo = MSI_ADDRESS | (id & 0xff) << 12,
			.address_hi = id & ~0xffu, .data = MSI_DATA_NMI};

		if (ioctl(vm->fd.n, KVM_SIGNAL_MSI, &msi) < 0)
			return err_set(err, -errno, BLAME_HOST, "vcpu%u: NMI: %s", i, strerror(errno));
	}
	return 0;
}

/* ---- what there is to know ------------------------------------------------------------------- */

static bool is_here(const struct slot *slot)
{
	return slot->step == SLOT_HERE;
}

static unsigned fill_bars(const struct remote *fn, Bulkhead__LifeBar *bars, Bulkhead__LifeBar **list)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct region_desc *region = &fn->desc.regions[i];
		Bulkhead__LifeBar *bar = &bars[n];

		if (region->size == 0)
			continue;
		bulkhead__life_bar__init(bar);
		bar->index = i;
		bar->address = fn->bars[i].addr;
		bar->size = region->size;
		bar->kind = region->io ? BAR_KIND_IO : region->is_64 ? BAR_KIND_MMIO64 : BAR_KIND_MMIO32;
		bar->prefetchable = region->prefetchable;
		list[n++] = bar;
	}
	return n;
}

static void fill_device(struct slot *slot, Bulkhead__LifeDevice *ret)
{
	static Bulkhead__LifeBar bars[VM_SLOTS][PCI_BARS], *lists[VM_SLOTS][PCI_BARS];
	const unsigned at = (unsigned)(slot - slot->devices->slots);
	struct remote *fn = &slot->remote;

	bulkhead__life_device__init(ret);
	remote_lock(fn);
	ret->slot = at;
	ret->generation = slot->generation;
	ret->devfn = slot->config.devfn;
	ret->state = peer_serves(&fn->peer) ? PLUG_STATE_HERE : PLUG_STATE_FAILED;
	ret->n_bars = fill_bars(fn, bars[at], lists[at]);
	ret->bars = lists[at];
	remote_unlock(fn);
}

static int answer_info(struct operate *operate)
{
	static Bulkhead__LifeDevice devices[VM_SLOTS], *list[VM_SLOTS];
	Bulkhead__LifeInfoIs body = BULKHEAD__LIFE_INFO_IS__INIT;

	body.state = operate->paused ? RUN_STATE_PAUSED : RUN_STATE_RUNNING;
	body.memory_actual = operate->vm->ram.layout.ram_size;
	body.devices = list;
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		if (!is_here(&operate->devices->slots[i]))
			continue;
		list[body.n_devices] = &devices[body.n_devices];
		fill_device(&operate->devices->slots[i], &devices[body.n_devices++]);
	}
	return chan_answer(&operate->api, &operate->ask, &PACKET(LIFE_INFO_IS, life_info_is, &body), NULL,
		0);
}

static int answer_counters(struct operate *operate)
{
	static Bulkhead__LifeCounts counts[VM_SLOTS], *list[VM_SLOTS];
	Bulkhead__LifeCountersAre body = BULKHEAD__LIFE_COUNTERS_ARE__INIT;

	body.exits = vcpus_exits(operate->vm);
	body.devices = list;
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		const struct slot *slot = &operate->devices->slots[i];
		Bulkhead__LifeCounts *count = &counts[body.n_devices];

		if (!is_here(slot))
			continue;
		bulkhead__life_counts__init(count);
		count->slot = i;
		count->generation = slot->generation;
		count->asks = slot->remote.peer.ask.seq;
		count->waited_ms = slot->remote.peer.ask.waited_ms;
		list[body.n_devices++] = count;
	}
	return chan_answer(&operate->api, &operate->ask,
		&PACKET(LIFE_COUNTERS_ARE, life_counters_are, &body), NULL, 0);
}

/* ---- the channel ----------------------------------------------------------------------------- */

static int carry_out(struct operate *operate, struct err *err)
{
	if (!operate->ready)
		return err_set(err, -EBUSY, BLAME_GUEST, "the guest is being started; ask again");
	switch (operate->ask.packet->body_case) {
	case BULKHEAD__PACKET__BODY_LIFE_PAUSE: return pause_vm(operate, err);
	case BULKHEAD__PACKET__BODY_LIFE_RESUME: return resume_vm(operate);
	case BULKHEAD__PACKET__BODY_LIFE_REBOOT: return reboot(operate);
	case BULKHEAD__PACKET__BODY_LIFE_POWER: return press_power(operate, err);
	case BULKHEAD__PACKET__BODY_LIFE_NMI: return send_nmi(operate, err);
	case BULKHEAD__PACKET__BODY_LIFE_UNPLUG:
		return err_set(err, -EOPNOTSUPP, BLAME_HOST, "no device leaves a VM that runs; vm.shutdown ends "
			"it, and what is removed then is not there at its next vm.boot");
	default: return err_set(err, -EOPNOTSUPP, BLAME_BUG, "the core does not do that");
	}
}

static void take_ask(struct operate *operate)
{
	struct err err = {0};
	int r = 1;

	if (operate->ask.packet->body_case == BULKHEAD__PACKET__BODY_LIFE_INFO)
		answer_info(operate);
	else if (operate->ask.packet->body_case == BULKHEAD__PACKET__BODY_LIFE_COUNTERS)
		answer_counters(operate);
	else
		r = carry_out(operate, &err);
	if (r < 0)
		chan_refuse(&operate->api, &operate->ask, &err);
	else if (r == 0)
		chan_done(&operate->api, &operate->ask);
}

void operate_on_api(struct operate *operate)
{
	struct err err = {0};
	int r;

	if (operate->rebooting)
		err_set(&err, -EBADMSG, BLAME_PEER, "api: it asked before it was answered");
	r = operate->rebooting ? -EBADMSG : chan_recv(&operate->api, &operate->ask, 0, &err);
	if (r == 0) {
		take_ask(operate);
		msg_done(&operate->ask);
	} else if (r != -ETIMEDOUT) {
		if (r != -EPIPE)
			log_error("%s", err.msg);
		chan_close(&operate->api);
		operate->rebooting = false;
	}
}
