/* SPDX-License-Identifier: Apache-2.0
 *
 * How devices are attached: told of by the opener, dealt by the launcher, claimed by the broker, described
 * by their helpers, in any order of these, and one after the other; and what it means that one of them
 * does not play along. The broker and the helpers are the test.
 *
 * links: vmm/devices.c vmm/config.c vmm/peer.c vmm/peer_state.c vmm/peer_ask.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "seccomp/policy.h"
#include "tests/unit/trace.h"
#include "vmm/devices.h"
#include "vmm/kvm/populate.h"

enum { DEVICES = 2, GENERATION = 3 };

static struct devices devices;
static struct vm vm;
static struct chan opener, core_opener;  /* both ends of what the opener says */
static struct fd launcher, words;        /* and the launcher */
static struct chan broker, broker_events;
static struct chan helper[VM_SLOTS], helper_events[VM_SLOTS];
static struct msg msg;
static struct err err;
static int no_create;

/* ---- doubles ----------------------------------------------------------------------------------- */

int populate(const struct ram *ram, struct err *e)
{
	(void)ram, (void)e;
	traced("populate ");
	return 0;
}

void pci_reserve(struct pci *pci, unsigned devfn)
{
	(void)pci;
	traced("reserve%u ", devfn);
}

int kvm_vfio_add(struct kvm_vfio *list, int vm_fd, struct fd file, struct err *e)
{
	(void)list, (void)vm_fd, (void)e;
	cr_assert_geq(file.n, 0);
	fd_close(&file);
	traced("kvm ");
	return 4;
}

int rom_read_file(int fd, struct device_config *config, struct err *e)
{
	(void)e;
	cr_assert_eq(config->rom, ROM_FILE);
	traced(fd >= 0 ? "rom " : "no-rom ");
	return 0;
}

static unsigned index_of(const struct remote *fn)
{
	unsigned i = 0;

	while (fn != &devices.slots[i].remote)
		i++;
	return i;
}

int remote_create(struct remote *fn, const struct function_desc *desc, int device_fd, struct vm *v,
	struct pci *pci, const struct device_config *config, struct err *e)
{
	const unsigned i = index_of(fn);

	(void)v, (void)pci;
	cr_assert_eq(config, &devices.slots[i].config);
	cr_assert_str_eq(fn->peer.name, config->name);
	cr_expect_eq(desc->config_size, 256);
	traced("create%u%s%s ", i, device_fd >= 0 ? "+fd" : "", fn->vfio_file == 4 ? "+kvm" : "");
	return no_create ? err_set(e, no_create, BLAME_HOST, "no room") : 0;
}

void remote_gone(struct remote *fn, const char *cause)
{
	traced("gone%u(%s) ", index_of(fn), cause);
}

void remote_wanted(struct remote *fn)
{
	traced("wanted%u ", index_of(fn));
}

void remote_on_event(struct remote *fn)
{
	traced("event%u ", index_of(fn));
}

void devices_broker_gone(struct devices *d, const char *why)
{
	chan_close(&d->ask);
	chan_close(&d->event);
	err_set(&d->failed, -EPIPE, BLAME_PEER, "broker: %s", why);
	traced("broker-gone ");
}

/* ---- who speaks -------------------------------------------------------------------------------- */

static void begin(void)
{
	struct fd a, b;

	log_init("", LOG_SAY, -1);
	cr_assert(frame_pair(&a, &b) == 0 && frame_pair(&launcher, &words) == 0);
	chan_init(&opener, a, ACTOR_OPENER, ACTOR_CORE, "core");
	chan_init(&core_opener, b, ACTOR_CORE, ACTOR_OPENER, "opener");
	vm.ram.layout = (struct layout){.n_ram = 1, .ram = {{.gpa = 0, .size = 4096}}};
	vm.ram.memfd.n = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	cr_assert_eq(ftruncate(vm.ram.memfd.n, 4096), 0);
	cr_assert_eq(fcntl(vm.ram.memfd.n, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
	devices_init(&devices, &vm, NULL);
}
TestSuite(slots, .init = begin, .timeout = 30);

static int tell_kind(unsigned slot, uint32_t generation, enum word_kind kind, int rom)
{
	Bulkhead__CoreDevice body = BULKHEAD__CORE_DEVICE__INIT;
	char name[16];
	int r;

	snprintf(name, sizeof(name), "dev%u", slot);
	body.slot = slot;
	body.generation = generation;
	body.kind = kind;
	body.name = name;
	body.devfn = slot << 3;
	body.rom = rom >= 0 ? ROM_FILE : ROM_OWN;
	cr_assert_eq(chan_give(&opener, &PACKET(CORE_DEVICE, core_device, &body), &rom, rom >= 0, 0), 0);
	cr_assert_eq(chan_recv(&core_opener, &msg, 0, &err), 0, "%s", err.msg);
	r = devices_told(&devices, &msg, &err);
	msg_done(&msg);
	return r;
}

static int tell(unsigned slot)
{
	return tell_kind(slot, GENERATION, KIND_VFIO, -1);
}

static int hear_word(const struct word *word, const int *fds, unsigned n)
{
	struct word_msg in;
	int r = 0;

	cr_assert_eq(word_send(launcher.n, word, fds, n), 0);
	cr_assert_eq(word_recv(words.n, WORDS_LAUNCHER, WORDS_CORE, &in), 0);
	if (in.word.op == WORD_DEAL)
		r = devices_dealt(&devices, &in, &err);
	else
		devices_ended(&devices, &in.word);
	word_done(&in);
	return r;
}

static int deal_of(enum word_kind kind, unsigned slot, uint32_t generation, struct chan *ask,
	struct chan *event, enum actor actor)
{
	const struct word word = {.op = WORD_DEAL, .kind = (uint8_t)kind, .slot = (uint8_t)slot,
		.generation = generation};
	struct fd a, b, c, d;
	int r;

	cr_assert(frame_pair(&a, &b) == 0 && frame_pair(&c, &d) == 0);
	r = hear_word(&word, (const int[]){b.n, d.n}, 2);
	fd_close(&b);
	fd_close(&d);
	chan_init(ask, a, actor, ACTOR_CORE, "core");
	chan_init(event, c, actor, ACTOR_CORE, "core");
	return r;
}

static int deal(unsigned slot)
{
	return deal_of(KIND_VFIO, slot, GENERATION, &helper[slot], &helper_events[slot], ACTOR_HELPER);
}

static void deal_broker(void)
{
	cr_assert_eq(deal_of(KIND_BROKER, 0, 1, &broker, &broker_events, ACTOR_BROKER), 0);
}

static void end_of(enum word_kind kind, unsigned slot, uint32_t generation, int wait_status)
{
	const struct word word = {.op = WORD_ENDED, .kind = (uint8_t)kind, .slot = (uint8_t)slot,
		.generation = generation, .value = wait_status};

	hear_word(&word, NULL, 0);
}

static void go(unsigned n)
{
	devices.told_all = true;
	devices.expected = n;
}

/* What the core has asked the broker, which stays open; 0: nothing. */
static int asked(void)
{
	return chan_recv(&broker, &msg, 0, &err) == 0 ? (int)msg.packet->body_case : 0;
}

static void answer_start(void)
{
	cr_assert_eq(asked(), BULKHEAD__PACKET__BODY_START);
	cr_expect(msg.packet->start->n_ram == 1 && msg.packet->start->ram[0]->size == 4096);
	cr_assert_eq(chan_done(&broker, &msg), 0);
	msg_done(&msg);
	devices_on_answer(&devices);
}

static void answer_attach(unsigned slot, bool with_group)
{
	Bulkhead__Attached body = BULKHEAD__ATTACHED__INIT;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	cr_assert_eq(asked(), BULKHEAD__PACKET__BODY_ATTACH);
	cr_expect(msg.packet->attach->slot == slot && msg.packet->attach->generation == GENERATION);
	cr_assert_eq(chan_answer(&broker, &msg, &PACKET(ATTACHED, attached, &body), &null, with_group), 0);
	msg_done(&msg);
	close(null);
	devices_on_answer(&devices);
}

static void describe(unsigned slot, unsigned config_size, bool with_fd)
{
	const struct function_desc desc = {.config_size = config_size};
	static struct describe_wire wire;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	describe_to_wire(&desc, &wire);
	cr_assert_eq(chan_give(&helper_events[slot], &PACKET(DESCRIPTION, description, &wire.description),
		&null, with_fd, 0), 0);
	close(null);
	devices_on_helper(&devices.slots[slot]);
}

static bool all_here(void)
{
	err = (struct err){0};
	return devices_attach(&devices, &err);
}

/* ---- all goes well ----------------------------------------------------------------------------- */

Test(slots, one_after_the_other_in_their_order)
{
	int rom = open("/dev/null", O_RDONLY | O_CLOEXEC);

	deal_broker();
	cr_assert(deal(1) == 0 && tell(1) == 0, "%s", err.msg);
	cr_assert_eq(tell_kind(0, GENERATION, KIND_VFIO, rom), 0, "%s", err.msg);
	expect("rom ");
	go(DEVICES);
	cr_assert_eq(devices_populate(&devices, &err), 0);
	expect("populate reserve0 reserve8 ");
	cr_expect(!all_here());
	cr_expect_eq(asked(), 0, "the first has no helper yet");
	cr_assert_eq(deal(0), 0, "%s", err.msg);
	cr_expect(!all_here());
	cr_expect(!all_here(), "once");
	answer_start();
	cr_expect(!all_here());
	cr_expect(devices_due_ms(&devices) > 0, "its answer is due");
	answer_attach(0, true);
	expect("kvm ");
	cr_expect(!all_here());
	cr_expect_eq(asked(), 0, "the next waits for its description");
	cr_expect(devices_due_ms(&devices) > 0 && devices_due_ms(&devices) <= 5000);
	describe(0, 256, true);
	expect("create0+fd+kvm ");
	cr_expect(!all_here());
	answer_attach(1, false);
	expect("");
	describe(1, 256, false);
	expect("create1 ");
	cr_expect(all_here());
	cr_expect_eq(devices_due_ms(&devices), -1);
	cr_expect(devices.slots[0].step == SLOT_HERE && devices.slots[1].step == SLOT_HERE);
	devices_on_helper(&devices.slots[1]);
	expect("event1 ");
}

/* RAM is faulted in where it will be pinned. */
Test(slots, without_vfio_nothing_is_pinned)
{
	cr_expect(!all_here(), "the opener has not told yet");
	cr_assert_eq(tell_kind(0, GENERATION, KIND_NULL, -1), 0);
	cr_assert_eq(devices_populate(&devices, &err), 0);
	expect("reserve0 ");
	begin();
	go(0);
	cr_expect(all_here());
}

/* ---- words out of turn ------------------------------------------------------------------------- */

Test(slots, words_out_of_turn)
{
	cr_assert(tell(0) == 0 && deal(0) == 0);
	cr_expect_eq(tell(0), -EBADMSG, "twice");
	cr_expect(strstr(err.msg, "opener: device of slot 0 out of turn"), "%s", err.msg);
	cr_expect_eq(deal(0), -EBADMSG, "twice");
	cr_expect(strstr(err.msg, "launcher: channels of slot 0 out of turn"), "%s", err.msg);
	cr_expect_eq(tell_kind(1, 0, KIND_VFIO, -1), -EBADMSG, "no generation");
	cr_expect_eq(tell_kind(VM_SLOTS, 1, KIND_VFIO, -1), -EBADMSG, "no slot");
	cr_expect_eq(tell_kind(2, 1, KIND_CORE, -1), -EBADMSG, "no device's kind");
	cr_assert_eq(tell_kind(3, 7, KIND_VFIO, -1), 0);
	cr_expect_eq(deal(3), -EBADMSG, "of another generation");
	cr_expect_eq(deal_of(KIND_CORE, 0, 1, &helper[9], &helper_events[9], ACTOR_HELPER), -EBADMSG);
}

/* Its channels are closed, and the first's are kept. */
Test(slots, a_second_broker_is_none)
{
	struct chan other, other_events;

	deal_broker();
	cr_assert_eq(deal_of(KIND_BROKER, 0, 2, &other, &other_events, ACTOR_BROKER), 0);
	cr_expect_eq(devices.broker_generation, 1);
	cr_expect_eq(chan_recv(&other, &msg, 100, &err), -EPIPE);
}

/* ---- what does not go well --------------------------------------------------------------------- */

static void attach_first(void)
{
	deal_broker();
	cr_assert(tell(0) == 0 && deal(0) == 0);
	go(1);
	all_here();
	answer_start();
	all_here();
}

static void expect_failure(const char *says)
{
	cr_expect(!all_here());
	cr_expect(err.code < 0 && strstr(err.msg, says), "%d «%s» lacks «%s»", err.code, err.msg, says);
}

Test(slots, the_broker_refuses)
{
	struct err why = {.code = -EBUSY, .blame = BLAME_HOST, .msg = "dev0 is in use"};

	attach_first();
	cr_assert_eq(asked(), BULKHEAD__PACKET__BODY_ATTACH);
	cr_assert_eq(chan_refuse(&broker, &msg, &why), 0);
	devices_on_answer(&devices);
	expect_failure("dev0 is in use");
	cr_expect_eq(err.code, -EBUSY);
}

/* As the helper has ended: how, the launcher says, or has said. */
Test(slots, the_broker_refuses_for_want_of_a_helper)
{
	struct err why = {.code = -EPIPE, .blame = BLAME_PEER, .msg = "dev0: its helper has ended"};

	attach_first();
	cr_assert_eq(asked(), BULKHEAD__PACKET__BODY_ATTACH);
	cr_assert_eq(chan_refuse(&broker, &msg, &why), 0);
	devices_on_answer(&devices);
	cr_expect(!all_here() && err.code == 0, "%s", err.msg);
	end_of(KIND_VFIO, 0, GENERATION, SIGSYS);
	expect_failure("killed by seccomp (SIGSYS)");
}

Test(slots, the_broker_hangs_up)
{
	attach_first();
	chan_close(&broker);
	devices_on_answer(&devices);
	expect("broker-gone ");
	expect_failure("broker: it ended unexpectedly");
}

Test(slots, the_broker_says_what_nobody_asked)
{
	attach_first();
	cr_assert_eq(frame_send(broker.sock.n, "garbage", 7, NULL, 0, &(int){100}), 0);
	devices_on_answer(&devices);
	expect("broker-gone ");
	expect_failure("broker: ");
}

Test(slots, the_brokers_end_is_told)
{
	attach_first();
	end_of(KIND_BROKER, 0, 2, SIGKILL);
	cr_expect(!devices.broker_over, "another's");
	end_of(KIND_BROKER, 0, 1, SIGKILL);
	expect("broker-gone ");
	cr_expect(devices.broker_over);
	expect_failure("broker: killed by signal 9 (KILL)");
}

/* A description that never comes is not waited for for ever. */
Test(slots, a_helper_that_does_not_describe)
{
	attach_first();
	answer_attach(0, false);
	cr_expect(!all_here() && err.code == 0);
	devices.slots[0].due = now_ms();
	expect_failure("dev0: its helper has not described it in time; the device is not attached");
}

/* Neither broker nor helper is late by what a stop of all of us took. */
Test(slots, nobody_is_late_by_a_stop)
{
	int64_t due;

	attach_first();
	due = devices.ask.due_ms;
	devices_stood_still(&devices, 60000);
	cr_expect_eq(devices.ask.due_ms, due + 60000);
	answer_attach(0, false);
	devices.slots[0].due = now_ms() - 50000;
	devices_stood_still(&devices, 60000);
	cr_expect(!all_here() && err.code == 0, "%s", err.msg);
}

Test(slots, a_helper_that_describes_nonsense)
{
	attach_first();
	answer_attach(0, false);
	describe(0, 300, true);
	expect("");
	expect_failure("dev0: ");
	cr_expect_eq(err.code, -EBADMSG);
}

/* The host may want it back before it is here. */
Test(slots, a_device_that_is_wanted_early)
{
	attach_first();
	cr_expect(devices.slots[0].ask.n >= FD_FLOOR && devices.slots[0].event.n >= FD_FLOOR,
		"low numbers are for what is read and written");
	answer_attach(0, false);
	devices.slots[0].wanted = true;
	describe(0, 256, false);
	cr_expect(strstr(trace, "wanted0 "), "%s", trace);
	cr_expect_eq(devices.slots[0].step, SLOT_HERE);
}

Test(slots, a_device_that_has_no_place)
{
	attach_first();
	answer_attach(0, false);
	no_create = -ENOSPC;
	describe(0, 256, false);
	expect_failure("no room");
	cr_expect_neq(devices.slots[0].step, SLOT_HERE);
}

/* Before it is here that ends the start; later it is a failed device. */
Test(slots, a_helper_that_ends)
{
	attach_first();
	end_of(KIND_VFIO, 0, GENERATION + 1, SIGKILL);
	cr_expect(!all_here() && err.code == 0, "another's");
	end_of(KIND_VFIO, 0, GENERATION, SIGSYS);
	expect_failure("dev0: its helper has ended, killed by seccomp (SIGSYS); the device is not attached");
	begin();
	attach_first();
	answer_attach(0, false);
	describe(0, 256, false);
	expect("create0 ");
	end_of(KIND_VFIO, 0, GENERATION, 1 << 8);
	expect("gone0(exited with status 1) ");
	cr_expect(all_here());
}

Test(slots, the_end_of_one_that_nobody_spoke_of)
{
	end_of(KIND_VFIO, 5, GENERATION, SIGKILL);
	end_of(KIND_OPENER, 0, 1, 0);
	cr_expect_eq(devices.failed.code, 0);
}
