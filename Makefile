# SPDX-License-Identifier: Apache-2.0
#
# bulkhead's one Makefile. The list of sources of a process is the list of what that process
# trusts: `make tcb` counts it. `make help` lists the targets.

BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
SAN     ?=
CC      ?= gcc
VERSION := 0.1.0

ifneq ($(SAN),)
B := $(BUILD)/san-$(SAN)
SAN_FLAGS := -fsanitize=$(SAN) -fno-sanitize-recover=all -DBULKHEAD_SANITIZER=1
else
B := $(BUILD)
endif

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wimplicit-fallthrough -Werror
HARDEN := -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection \
	-D_FORTIFY_SOURCE=2
BASE_CFLAGS := -std=gnu17 -O2 -g $(WARN) $(if $(SAN),-fPIE,$(HARDEN)) $(SAN_FLAGS) \
	-ffile-prefix-map=$(CURDIR)=. -D_GNU_SOURCE -DBULKHEAD_VERSION='"$(VERSION)"'
BASE_LDFLAGS := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(SAN_FLAGS)

# Every process: the wire and the walls.
IPC_SRC     := ipc/err.c ipc/log.c ipc/frame.c ipc/rules.c ipc/chan.c ipc/describe.c \
	ipc/token.c ipc/words.c ipc/cpus.c
SECCOMP_SRC := seccomp/load.c seccomp/layers.c seccomp/confine.c seccomp/birth.c
# Every helper.
HELPER_SRC  := helpers/helper.c helpers/asks.c
# What is asked of the host, by who takes devices from it; the machine is asked by who starts a VM.
MACHINE_SRC := helpers/host/memory.c helpers/host/posted.c
HOST_SRC    := $(filter-out $(MACHINE_SRC),$(wildcard helpers/host/*.c))
# The command line, for launcher and opener.
OPTS_SRC    := $(wildcard helpers/opts/*.c)
# One list a process.
launch_SRC := $(wildcard helpers/launch/*.c) $(OPTS_SRC) seccomp/launch.c
open_SRC   := $(wildcard helpers/open/*.c) $(OPTS_SRC) $(HOST_SRC) $(MACHINE_SRC) seccomp/open.c
core_SRC   := $(wildcard vmm/*.c vmm/*/*.c) seccomp/core.c
broker_SRC := $(wildcard helpers/broker/*.c) helpers/retry.c seccomp/broker.c
vfio_SRC   := $(HELPER_SRC) $(wildcard helpers/vfio/*.c) helpers/host/address.c helpers/retry.c seccomp/vfio.c
vdpa_SRC   := $(HELPER_SRC) $(wildcard helpers/virtio/*.c helpers/vdpa/*.c) seccomp/vdpa.c
null_SRC   := $(HELPER_SRC) $(wildcard helpers/null/*.c) seccomp/null.c
api_SRC    := $(wildcard helpers/api/*.c) seccomp/api.c

PROCESSES := launch open core broker vfio vdpa null api
ifneq ($(SAN),)
$(foreach p,$(PROCESSES),$(eval $(p)_SRC += seccomp/sanitizer.c))
endif
CHILDREN  := $(filter-out launch,$(PROCESSES))
POLICIES  := $(PROCESSES)
# One list a verb (`bulkhead VERB`, helpers/launch/binary.c): programs an operator runs, beside any VM.
POLICY_SRC := seccomp/all.c seccomp/export.c $(POLICIES:%=seccomp/%.c)
policy_SRC := $(wildcard helpers/policy/*.c) $(POLICY_SRC)
audit_SRC  := $(wildcard helpers/audit/*.c) $(POLICY_SRC)
ctl_SRC    := $(wildcard helpers/ctl/*.c) helpers/api/calls.c $(wildcard helpers/api/fields_*.c)
devices_SRC := $(wildcard helpers/devices/*.c) $(HOST_SRC)
TOOLS     := audit ctl devices policy
PROGRAMS  := bulkhead $(CHILDREN:%=bulkhead-%)
BINARIES  := $(PROGRAMS:%=$(B)/%) $(TOOLS:%=$(B)/bulkhead-%)

LIBS := -lseccomp -lcap-ng -lprotobuf-c
GEN  := $(B)/gen/ipc/bulkhead.pb-c

# The two sides see their own headers, ipc/ and seccomp/, and never each other's.
INC_vmm     := -I$(B)/inc/vmm -isystem $(B)/gen
INC_helpers := -I$(B)/inc/helpers -isystem $(B)/gen
INC_both    := -I$(B)/inc/both -isystem $(B)/gen
INC_tests   := -I$(B)/inc/tests -isystem $(B)/gen

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
COMMON_OBJ := $(call obj,$(IPC_SRC) $(SECCOMP_SRC)) $(GEN).o

V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) $(2))

all: $(BINARIES) ## build every process

# ---- headers a side may see -------------------------------------------------------------------
INC_STAMP := $(B)/inc/stamp
$(INC_STAMP):
	$(Q)mkdir -p $(B)/inc/vmm $(B)/inc/helpers $(B)/inc/both $(B)/inc/tests
	$(Q)for d in ipc seccomp vmm; do ln -sfn $(CURDIR)/$$d $(B)/inc/vmm/$$d; done
	$(Q)for d in ipc seccomp helpers; do ln -sfn $(CURDIR)/$$d $(B)/inc/helpers/$$d; done
	$(Q)for d in ipc seccomp; do ln -sfn $(CURDIR)/$$d $(B)/inc/both/$$d; done
	$(Q)for d in ipc seccomp vmm helpers tests; do ln -sfn $(CURDIR)/$$d $(B)/inc/tests/$$d; done
	$(Q)touch $@

# ---- the wire, generated ----------------------------------------------------------------------
$(GEN).h $(GEN).c &: ipc/bulkhead.proto
	$(call say,PROTOC,$<)
	$(Q)mkdir -p $(B)/gen
	$(Q)protoc-c --c_out=$(B)/gen $<

$(GEN).o: $(GEN).c
	$(call say,CC,$<)
	$(Q)$(CC) $(BASE_CFLAGS) -Wno-cast-qual $(CFLAGS) -I$(B)/gen -c -o $@ $<

# ---- objects and binaries ---------------------------------------------------------------------
define compile
$(B)/obj/$(1)/%.o: $(1)/%.c $(GEN).h $(INC_STAMP)
	$$(call say,CC,$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(BASE_CFLAGS) $$(CFLAGS) $(2) -MMD -MP -c -o $$@ $$<
endef
$(eval $(call compile,vmm,$(INC_vmm)))
$(eval $(call compile,helpers,$(INC_helpers)))
$(eval $(call compile,ipc,$(INC_both)))
$(eval $(call compile,seccomp,$(INC_both)))
$(eval $(call compile,tests,$(INC_tests)))

define link
	$(call say,LINK,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS)
endef
$(B)/bulkhead: $(call obj,$(launch_SRC)) $(COMMON_OBJ)
	$(link)
define helper_binary
$(B)/bulkhead-$(1): $(call obj,$($(1)_SRC)) $(COMMON_OBJ)
	$$(link)
endef
$(foreach h,$(CHILDREN) $(TOOLS),$(eval $(call helper_binary,$(h))))

# JSON, in the process that has clients, and in one that is a client.
$(B)/bulkhead-api $(B)/bulkhead-ctl: private LIBS += -ljansson

# Names of PCI devices; no process of a VM links it.
$(B)/bulkhead-devices: LIBS += -lpci

# The audit knows the VM's binaries by their contents, so it is linked last. Whoever strips them does
# it here, by LDFLAGS=-s: afterwards they would be others.
DIGESTS := $(B)/gen/audit/digests.h
$(DIGESTS): $(PROGRAMS:%=$(B)/%)
	$(call say,SHA256,$@)
	$(Q)mkdir -p $(@D)
	$(Q)cd $(B) && sha256sum $(PROGRAMS) | awk '{printf "{\"%s\", \"%s\"},\n", $$2, $$1} \
		END {exit NR != $(words $(PROGRAMS))}' >gen/audit/digests.new
	$(Q)mv -f $(@D)/digests.new $@
$(call obj,helpers/audit/digest.c): $(DIGESTS)
$(B)/bulkhead-audit $(B)/tests/test_audit: private LIBS += -lmd

# ---- the API, documented -----------------------------------------------------------------------
# A program of the build: no process of a VM, and not installed.
apidoc_SRC := $(wildcard helpers/apidoc/*.c) helpers/api/calls.c $(wildcard helpers/api/fields*.c) \
	helpers/api/json.c
$(B)/apidoc: private LIBS += -ljansson
$(B)/apidoc: $(call obj,$(apidoc_SRC)) $(COMMON_OBJ)
	$(link)

api-docs: $(B)/apidoc ## write docs/api.md and docs/openapi.json from the API's rows
	@$(B)/apidoc md >docs/api.md
	@$(B)/apidoc openapi >docs/openapi.json
.PHONY: api-docs

include tests/tests.mk

# ---- looking at it ----------------------------------------------------------------------------
# Lines as they are, and lines of code: without comments and blank lines.
code = $$(for f in $(1); do $(CC) -fpreprocessed -dD -E -P $$f 2>/dev/null; done | wc -l)
tcb: ## lines of our code linked into each process
	@printf '%-8s %6s %6s   %s\n' process lines code 'of which shared by all (ipc, seccomp)'
	@$(foreach p,$(PROCESSES),printf '%-8s %6d %6d   %d lines, %d code\n' $(p) \
		$$(cat $($(p)_SRC) $(IPC_SRC) $(SECCOMP_SRC) | wc -l) \
		$(call code,$($(p)_SRC) $(IPC_SRC) $(SECCOMP_SRC)) \
		$$(cat $(IPC_SRC) $(SECCOMP_SRC) | wc -l) $(call code,$(IPC_SRC) $(SECCOMP_SRC));)

C_FILES = $(shell git ls-files '*.c' '*.h')
format: ## clang-format the lines changed since the last commit (tables keep their layout)
	git clang-format --force --extensions c,h
tidy: $(GEN).h $(DIGESTS) $(INC_STAMP) ## clang-tidy, with the short list in .clang-tidy
	clang-tidy --quiet $(filter vmm/%.c helpers/%.c ipc/%.c seccomp/%.c,$(C_FILES)) -- \
		$(BASE_CFLAGS) $(INC_tests)

# ---- installing -------------------------------------------------------------------------------
install: all ## DESTDIR= PREFIX=: bulkhead to bin/, the other processes to libexec/bulkhead/
	install -D -m 755 $(B)/bulkhead $(DESTDIR)$(PREFIX)/bin/bulkhead
	install -d $(DESTDIR)$(PREFIX)/libexec/bulkhead
	install -m 755 $(CHILDREN:%=$(B)/bulkhead-%) $(TOOLS:%=$(B)/bulkhead-%) $(DESTDIR)$(PREFIX)/libexec/bulkhead

install-apparmor: ## DESTDIR= PREFIX=: a profile for AppArmor where it restricts user namespaces (Ubuntu)
	install -d $(DESTDIR)/etc/apparmor.d
	sed 's|@PREFIX@|$(PREFIX)|' docs/apparmor.profile >$(DESTDIR)/etc/apparmor.d/bulkhead

clean: ## remove what was built (the rig's downloads stay in their cache)
	rm -rf $(BUILD)

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: all tcb format tidy install install-apparmor clean help
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
