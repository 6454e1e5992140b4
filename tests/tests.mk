# SPDX-License-Identifier: Apache-2.0
#
# How the tests are built and run. Every tests/unit/test_X.c and tests/kvm/test_X.c is one
# Criterion binary (each test of it a process of its own). What it links besides the wire is named
# in its head comment, in one line: " * links: vmm/pci/layout.c vmm/pci/bus.c".

links = $(shell sed -n 's/^ \* links: //p' $(1))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
KVM_TESTS  := $(patsubst tests/kvm/%.c,$(B)/tests/kvm_%,$(wildcard tests/kvm/test_*.c))

define test_binary
$(1): $(call obj,$(2) $(call links,$(2))) $(COMMON_OBJ)
	$$(call say,LINK,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(CC) $(BASE_LDFLAGS) -o $$@ $$(sort $$(filter %.o,$$^)) $$(LIBS) -ljansson -lcriterion -lpthread
endef
$(foreach t,$(wildcard tests/unit/test_*.c),\
	$(eval $(call test_binary,$(patsubst tests/unit/%.c,$(B)/tests/%,$(t)),$(t))))
$(foreach t,$(wildcard tests/kvm/test_*.c),\
	$(eval $(call test_binary,$(patsubst tests/kvm/%.c,$(B)/tests/kvm_%,$(t)),$(t))))

# A guest of its own, without a kernel: one assembler file, entered by PVH.
LINK_GUEST = $(Q)$(CC) -nostdlib -static -no-pie \
	-Wl,-Ttext-segment=0x100000,-estart,-znoseparate-code,--build-id=none -o $@ $<

include tests/breakout/breakout.mk

deps: ## install the Debian packages that are missing (root or sudo)
	@tests/deps

check: ## everything that can run here; installs what it needs; what CI runs
	@tests/deps
	@+$(MAKE) --no-print-directory all tests
	@+MAKE="$(MAKE)" tests/check

# All of a VM, and the tracer, in a folder of their own: its core and broker make a call no policy has a
# row for.
STRAY := $(B)/tests/stray
STRAY_LINKED := $(STRAY)/bulkhead-core $(STRAY)/bulkhead-broker
STRAY_CALL := $(PROGRAMS:%=$(STRAY)/%) $(STRAY)/bulkhead-policy
$(STRAY)/bulkhead-core: $(call obj,$(core_SRC))
$(STRAY)/bulkhead-broker: $(call obj,$(broker_SRC))
$(STRAY_LINKED): $(call obj,tests/kvm/stray_call.c) $(COMMON_OBJ)
	$(Q)mkdir -p $(@D)
	$(link)
$(filter-out $(STRAY_LINKED),$(STRAY_CALL)): $(STRAY)/%: $(B)/%
	$(Q)mkdir -p $(@D)
	$(Q)ln -f $< $@

tests: $(UNIT_TESTS) $(KVM_TESTS) $(STRAY_CALL)

check-unit: all $(UNIT_TESTS) ## unit and policy tests, no privilege needed
	@tests/run-units $(UNIT_TESTS)

check-kvm: all $(KVM_TESTS) $(STRAY_CALL) ## tiny guests on /dev/kvm, skipped with a reason where there is none
	@tests/run-units $(KVM_TESTS)

check-rig: all ## every case of the rig: a host with VFIO inside QEMU; builds a kernel the first time
	@tests/rig/run

check-vdpa: all ## every vDPA case of the rig
	@tests/rig/run $(notdir $(basename $(shell grep -l "^. rig:.* vdpa=on" tests/rig/cases/*.sh)))

check-iommufd: all ## the VFIO cases again, by iommufd, on a kernel it builds the first time
	@tests/rig/run $(addsuffix @iommufd,$(notdir $(basename $(shell grep -l "^. rig:.* iommufd=too" tests/rig/cases/*.sh)))) map-address

bench-dma: all ## seconds a GiB of guest RAM takes to be mapped for DMA, beside QEMU, in the rig
	@tests/rig/run -v bench-dma

BENCH_TRAP := $(B)/bench/trap
$(BENCH_TRAP): tests/bench/trap.S
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(LINK_GUEST)

bench-trap: all $(BENCH_TRAP) ## microseconds an access to a trapped BAR takes, on this machine's /dev/kvm
	@tests/bench/trap $(B)

rig: all ## CASE=nvme: one case of the rig, with its console (V=1)
	@tests/rig/run $(if $(filter 1,$(V)),-v) $(CASE)

demo: ## a guest drives a passed-through NVMe, in the rig; installs what it needs
	@tests/deps
	@+$(MAKE) --no-print-directory all
	@tests/rig/demo

# ---- the policies, listed ---------------------------------------------------------------------
policy: $(B)/bulkhead-policy ## write seccomp/POLICY.txt: what each process may ask of the kernel
	@$(B)/bulkhead-policy show >seccomp/POLICY.txt

check-policy: $(B)/bulkhead-policy
	@$(B)/bulkhead-policy show | diff -u seccomp/POLICY.txt - && \
	 echo "seccomp/POLICY.txt says what the policies say" && \
	 echo "1 passed, 0 failed, 0 skipped" || \
	 { echo "seccomp/POLICY.txt is stale: make policy"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }

check-rows: all tests ## every policy row used by some test, none broader than its use: five to seven minutes in the rig
	@tests/check-rows

check-rows-here: all tests ## the same, as far as it needs no device
	@tests/check-rows --here
.PHONY: policy check-policy check-rows check-rows-here
# -----------------------------------------------------------------------------------------------

# ---- fuzzing ----------------------------------------------------------------------------------
# tests/fuzz/fuzz_X.c is a target; its head comment names what it "links:", the sources it "fuzzes:",
# and how long an input may be ("max_len:", or 128 bytes). corpus/X/ are inputs that between them
# reach all that is known to be reached. As regressions they run in a build with sanitizers;
# libFuzzer needs clang; line coverage is a third build. Each is this Makefile again, with SAN, CC
# and BUILD of its own.
FUZZ_MAIN    ?= tests/fuzz/standalone.c
FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SAN     := address,undefined

define fuzz_binary
$(B)/fuzz/$(1): $(call obj,tests/fuzz/fuzz_$(1).c $(FUZZ_MAIN) \
		$(call links,tests/fuzz/fuzz_$(1).c) $(IPC_SRC) seccomp/layers.c) $(GEN).o
	$$(call say,LINK,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -o $$@ $$(filter %.o,$$^) -lprotobuf-c -ljansson -lpthread
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call fuzz_binary,$(t))))

fuzz-targets: $(FUZZ_TARGETS:%=$(B)/fuzz/%)

check-fuzz: ## every input of tests/fuzz/corpus, under ASan and UBSan
	@+$(MAKE) --no-print-directory SAN=$(FUZZ_SAN) fuzz-targets
	@tests/fuzz/regress $(BUILD)/san-$(FUZZ_SAN)/fuzz $(FUZZ_TARGETS)

# -fsanitize=fuzzer brings libFuzzer's main; coverage is counted over the corpora alone. The
# warnings that count are gcc's.
TIME   ?= 60
TARGET ?= $(FUZZ_TARGETS)
JOBS   ?= 1
fuzz: ## TIME=60 a target [TARGET=X] [JOBS=1]: a campaign with libFuzzer; installs clang
	@tests/deps clang libclang-rt-dev llvm
	@+$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang FUZZ_MAIN= \
		SAN=$(FUZZ_SAN),fuzzer-no-link CFLAGS=-w LDFLAGS=-fsanitize=fuzzer fuzz-targets
	@+$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz/coverage CC=clang fuzz-targets \
		CFLAGS="-w -fprofile-instr-generate -fcoverage-mapping -U_FORTIFY_SOURCE" \
		LDFLAGS=-fprofile-instr-generate
	@TIME=$(TIME) JOBS=$(JOBS) tests/fuzz/campaign $(BUILD)/fuzz \
		$(BUILD)/fuzz/san-$(FUZZ_SAN),fuzzer-no-link/fuzz $(TARGET)
.PHONY: fuzz-targets check-fuzz fuzz
# -----------------------------------------------------------------------------------------------

# What a compiler cannot say: the two sides do not know each other, and no two files need each other.
ALL_OBJ = $(call obj,$(sort $(foreach p,$(PROCESSES) $(TOOLS),$($(p)_SRC)) $(IPC_SRC) $(SECCOMP_SRC)))
check-static: all $(B)/apidoc
	@! grep -rnE '#include "(\.\./|helpers/)' vmm && \
	 ! grep -rnE '#include "(\.\./|vmm/)' helpers && \
	 ! grep -rnE '#include "(\.\./|vmm/|helpers/)' ipc seccomp && \
	 echo "vmm/ and helpers/ do not include each other" && \
	 { $(B)/apidoc md | diff -u docs/api.md - && $(B)/apidoc openapi | diff -u docs/openapi.json - || \
	   { echo "docs/ is stale: make api-docs"; false; }; } && \
	 echo "docs/api.md and docs/openapi.json say what the API's rows say" && \
	 tests/circles $(ALL_OBJ) && echo "no file needs one that needs it" && \
	 ! wc -l $(C_FILES) | awk '$$2 != "total" && $$1 > 500 {print; found = 1} END {exit !found}' && \
	 echo "no file has over 500 lines" && \
	 echo "4 passed, 0 failed, 0 skipped" || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }

.PHONY: deps check tests check-unit check-kvm check-rig check-vdpa check-iommufd bench-dma bench-trap rig demo check-static
