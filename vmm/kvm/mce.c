/* SPDX-License-Identifier: Apache-2.0
 *
 * SIGBUS of the kinds BUS_MCEERR_AR and BUS_MCEERR_AO into machine checks (Intel SDM 3B chapter 16,
 * AMD APM 2 chapter 9; Linux mm/memory-failure.c, arch/x86/kvm/mmu/mmu.c kvm_send_hwpoison_signal).
 *
 * Core process: the handler in whichever thread the signal meets, delivery in vCPU threads.
 *
 *   - Action required: a vCPU has touched the page. The signal is its thread's, and pending when
 *     KVM_RUN returns. vCPU threads touch guest RAM in no other way, so it is never our own access.
 *   - Action optional: the error was found before that. The main thread gets it, and vCPU 0 is told.
 *   - The main thread touches guest RAM when it loads a kernel. An error there, like any other
 *     SIGBUS, is the end: with a line, and without the atexit handlers, as memory is not what it was.
 *
 * The handler only notes; the vCPU's thread asks KVM for the machine check when it is out of KVM_RUN.
 * A second error before that is let go: the guest meets it when it gets there.
 */
#include "vmm/kvm/mce.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#define BIT64(n) (1ull << (n))

/* IA32_MCG_CAP */
#define MCG_CTL_P  BIT64(8)
#define MCG_SER_P  BIT64(24) /* Intel: errors software can recover from */
#define MCG_LMCE_P BIT64(27) /* Intel: to one processor, not to all */
/* IA32_MCG_STATUS */
#define MCG_RIPV BIT64(0)
#define MCG_EIPV BIT64(1)
#define MCG_MCIP BIT64(2)
#define MCG_LMCE BIT64(3)
/* IA32_MCi_STATUS */
#define MCI_VAL	     BIT64(63)
#define MCI_UC	     BIT64(61)
#define MCI_EN	     BIT64(60)
#define MCI_MISCV    BIT64(59)
#define MCI_ADDRV    BIT64(58)
#define MCI_S	     BIT64(56) /* Intel: signalled */
#define MCI_AR	     BIT64(55) /* Intel: action required */
#define MCI_DEFERRED BIT64(44) /* AMD: no machine check yet */
#define MCI_POISON   BIT64(43) /* AMD */

enum {
	BANK = MCE_BANKS - 1, /* not one whose errors Linux knows by their place */
	MCA_DATA_READ = 0x134, MCA_SCRUB = 0xc0, /* SDM 3B 16.9.3: SRAR data load, SRAO scrubbing */
	MISC_PHYSICAL = 2 << 6, /* what the address is; below it, how many of its bits are none */
	END_STATUS = 2,
};

static struct {
	struct vm *vm;
	bool amd, lmce;
} watch;

static __thread struct vcpu *self;

/* ---- the signal ----------------------------------------------------------------------------- */

static bool gpa_of(const struct vm *vm, const void *addr, uint64_t *ret)
{
	const struct layout *layout = &vm->ram.layout;
	uint64_t offset = (uint64_t)((const uint8_t *)addr - vm->ram.host);

	if (!vm->ram.host || (const uint8_t *)addr < vm->ram.host)
		return false;
	for (unsigned i = 0; i < layout->n_ram; i++) {
		const struct ram_region *region = &layout->ram[i];

		if (offset >= region->offset && offset - region->offset < region->size) {
			*ret = region->gpa + (offset - region->offset);
			return true;
		}
	}
	return false;
}

static _Noreturn void end(const siginfo_t *info, uint64_t gpa, bool in_ram)
{
	bool poison = info->si_code == BUS_MCEERR_AR;

	if (poison && in_ram)
		log_error("the host's memory has an uncorrectable error in guest RAM, at 0x%llx, which "
			"was to be loaded; start the VM again, and look at the host's log (mcelog, "
			"rasdaemon)", (unsigned long long)gpa);
	else if (info->si_code == BUS_ADRALN && self)
		/* Linux arch/x86/kernel/cpu/bus_lock.c, handle_guest_split_lock */
		log_error("vcpu%u: a locked access of the guest's across cache lines, for which this "
			"host ends us (split_lock_detect=fatal)", self->index);
	else
		log_error("SIGBUS at %p (code %d)%s", info->si_addr, info->si_code, poison ?
			": the host's memory has an uncorrectable error in this process" : "");
	_exit(END_STATUS);
}

static void note(struct memory_error *error, uint64_t gpa, unsigned lsb)
{
	if (error->pending)
		return;
	error->gpa = gpa;
	error->lsb = lsb;
	error->pending = true;
}

static void on_sigbus(int signal, siginfo_t *info, void *context)
{
	struct vm *vm = watch.vm;
	bool required = info->si_code == BUS_MCEERR_AR, in_ram;
	uint64_t gpa = 0;
	int saved = errno;

	(void)signal, (void)context;
	in_ram = gpa_of(vm, info->si_addr, &gpa);
	if (in_ram && required && self) {
		note(&self->required, gpa, (unsigned)info->si_addr_lsb);
	} else if (info->si_code == BUS_MCEERR_AO) {
		/* Of memory of ours, or before there is a vCPU, it is for who touches it. */
		if (in_ram && vm->n_vcpus > 0 && vm->vcpus[0].tid) {
			note(&vm->vcpus[0].optional, gpa, (unsigned)info->si_addr_lsb);
			vcpu_kick(&vm->vcpus[0]);
		}
	} else {
		end(info, gpa, in_ram);
	}
	errno = saved;
}

void mce_watch(struct vm *vm)
{
	const struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

	watch.vm = vm;
	sigaction(SIGBUS, &action, NULL);
	/* Fails where the kernel has no CONFIG_MEMORY_FAILURE, and there is nothing to tell then. */
	prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
}

void mce_thread(struct vcpu *vcpu)
{
	self = vcpu;
}

/* ---- the machine check ---------------------------------------------------------------------- */

int mce_setup(const struct vcpu *vcpu, bool amd, struct err *err)
{
	uint64_t supported = 0, cap;

	if (ioctl(vcpu->vm->kvm.n, KVM_X86_GET_MCE_CAP_SUPPORTED, &supported) < 0)
		return err_set(err, -errno, BLAME_HOST, "/dev/kvm: KVM_X86_GET_MCE_CAP_SUPPORTED: %s",
			strerror(errno));
	cap = MCE_BANKS | (supported & (MCG_CTL_P | (amd ? 0 : MCG_SER_P | MCG_LMCE_P)));
	if (ioctl(vcpu->fd.n, KVM_X86_SETUP_MCE, &cap) < 0)
		return err_set(err, -errno, BLAME_HOST, "vcpu%u: KVM_X86_SETUP_MCE: %s", vcpu->index,
			strerror(errno));
	watch.amd = amd;
	watch.lmce = cap & MCG_LMCE_P;
	/* The guest turns local machine checks on only where the firmware has allowed them. Without
	 * them Linux waits for all processors to come, and panics when they do not. */
	return watch.lmce ? vcpu_state_allow_lmce(vcpu, err) : 0;
}

static struct kvm_x86_mce machine_check(const struct memory_error *error, bool required)
{
	struct kvm_x86_mce mce = {
		.bank = BANK,
		.addr = error->gpa,
		.misc = MISC_PHYSICAL | (error->lsb & 0x3f),
		.mcg_status = MCG_MCIP | MCG_RIPV | (required ? MCG_EIPV : 0) |
			(watch.lmce ? MCG_LMCE : 0),
		.status = MCI_VAL | MCI_EN | MCI_MISCV | MCI_ADDRV,
	};

	if (watch.amd)
		mce.status |= MCI_POISON | (required ? MCI_UC : MCI_DEFERRED);
	else
		mce.status |= MCI_UC | MCI_S | (required ? MCI_AR | MCA_DATA_READ : MCA_SCRUB);
	return mce;
}

static bool tell_guest(struct vcpu *vcpu, struct memory_error *error, bool required)
{
	struct kvm_x86_mce mce = machine_check(error, required);

	error->pending = false;
	/* A guest may touch the page again and again. */
	if (log_allowed(&vcpu->errors))
		log_warn("vcpu%u: the host's memory has an uncorrectable error in guest RAM, at 0x%llx; "
			"the guest gets a machine check%s", vcpu->index,
			(unsigned long long)error->gpa, required ? "" : " before it is there");
	return ioctl(vcpu->fd.n, KVM_X86_SET_MCE, &mce) == 0;
}

bool mce_deliver(struct vcpu *vcpu)
{
	if (vcpu->optional.pending && !tell_guest(vcpu, &vcpu->optional, false))
		return false;
	return !vcpu->required.pending || tell_guest(vcpu, &vcpu->required, true);
}
