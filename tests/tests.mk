# SPDX-License-Identifier: Apache-2.0
#
# How the tests are built and run. Every tests/unit/test_X.c and tests/kvm/test_X.c is one
# Criterion binary (each test of it a process of its own). What it links besides the wire is named
# in its head comment, in one line: " * links: vmm/layout.c vmm/bus.c".

links = $(shell sed -n 's/^ \* links: //p' $(1))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
KVM_TESTS  := $(patsubst tests/kvm/%.c,$(B)/tests/kvm_%,$(wildcard tests/kvm/test_*.c))

define test_binary
$(1): $(call obj,$(2) $(call links,$(2))) $(COMMON_OBJ)
	$$(call say,LINK,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(CC) $(BASE_LDFLAGS) -o $$@ $$(sort $$(filter %.o,$$^)) $(LIBS) -lcriterion -lpthread
endef
$(foreach t,$(wildcard tests/unit/test_*.c),\
	$(eval $(call test_binary,$(patsubst tests/unit/%.c,$(B)/tests/%,$(t)),$(t))))
$(foreach t,$(wildcard tests/kvm/test_*.c),\
	$(eval $(call test_binary,$(patsubst tests/kvm/%.c,$(B)/tests/kvm_%,$(t)),$(t))))

deps: ## install the Debian packages that are missing (root or sudo)
	@tests/deps

check: ## everything that can run here; installs what it needs; what CI runs
	@tests/deps
	@+$(MAKE) --no-print-directory all tests
	@+MAKE="$(MAKE)" tests/check

tests: $(UNIT_TESTS) $(KVM_TESTS)

check-unit: all $(UNIT_TESTS) ## unit and policy tests, no privilege needed
	@tests/run-units $(UNIT_TESTS)

check-kvm: all $(KVM_TESTS) ## tiny guests on /dev/kvm, skipped with a reason where there is none
	@tests/run-units $(KVM_TESTS)

check-rig: all ## every case of the rig: a host with VFIO inside QEMU
	@tests/rig/run

check-vdpa: all ## every vDPA case of the rig; builds a host kernel the first time
	@tests/rig/run $(notdir $(basename $(shell grep -l "^. rig:.* vdpa=on" tests/rig/cases/*.sh)))

check-iommufd: all ## the VFIO cases again, by iommufd, on a kernel it builds the first time
	@tests/rig/run $(addsuffix @iommufd,$(notdir $(basename $(shell grep -l "^. rig:.* iommufd=too" tests/rig/cases/*.sh))))

rig: all ## CASE=nvme: one case of the rig, with its console (V=1)
	@tests/rig/run $(if $(filter 1,$(V)),-v) $(CASE)

demo: ## a guest drives a passed-through NVMe, in the rig; installs what it needs
	@tests/deps
	@+$(MAKE) --no-print-directory all
	@tests/rig/demo

# ---- the policies, listed ---------------------------------------------------------------------
POLICY_LIST := $(B)/tests/policy_list
$(eval $(call test_binary,$(POLICY_LIST),tests/policy_list.c))

policy: $(POLICY_LIST) ## write seccomp/POLICY.txt: what each process may ask of the kernel
	@$(POLICY_LIST) >seccomp/POLICY.txt

check-policy: $(POLICY_LIST)
	@$(POLICY_LIST) | diff -u seccomp/POLICY.txt - && \
	 echo "seccomp/POLICY.txt says what the policies say" && \
	 echo "1 passed, 0 failed, 0 skipped" || \
	 { echo "seccomp/POLICY.txt is stale: make policy"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
.PHONY: policy check-policy
# -----------------------------------------------------------------------------------------------

# What a compiler cannot say: the two sides do not know each other, and nothing is left to do.
check-static:
	@! grep -nE '#include "(\.\./|helpers/)' vmm/*.[ch] && \
	 ! grep -rnE '#include "(\.\./|vmm/)' helpers && \
	 ! grep -rnE '#include "(\.\./|vmm/|helpers/)' ipc seccomp && \
	 echo "vmm/ and helpers/ do not include each other" && \
	 echo "1 passed, 0 failed, 0 skipped"

.PHONY: deps check tests check-unit check-kvm check-rig check-vdpa check-iommufd rig demo check-static
