# SPDX-License-Identifier: Apache-2.0
#
# The breakout suite: the release's own objects, linked a second time beside a payload.

BO  := $(B)/breakout
BO_PAYLOAD := $(addprefix tests/breakout/,payload.c walls.c scenarios.c files.c process.c memory.c \
	device.c lies.c describe.c words.c)
BO_HARNESS := $(addprefix tests/breakout/,main.c matrix.c trial.c names.c \
	probe.c place.c vm.c launch.c)
# What the payload stands between (tests/breakout/{payload,walls,lies,core}.c say why).
BO_WRAPPED := policy_enter poll __poll_chk ppoll __ppoll_chk ioctl open openat mount umount2 syscall prctl \
	setrlimit setsockopt \
	capng_apply capng_have_capabilities rule_check log_allowed describe_from_wire \
	describe_to_wire frame_send
BO_LINK = $(Q)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) $(addprefix -Wl$(comma)--wrap=,$(BO_WRAPPED)) \
	-o $@ $(filter %.o,$^) $(LIBS)
comma := ,

define breakout_process
$(1): $(call obj,$($(2)_SRC) $(BO_PAYLOAD)) $(COMMON_OBJ)
	$$(call say,LINK,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(BO_LINK)
endef
$(eval $(call breakout_process,$(BO)/bulkhead,launch))
$(foreach p,$(CHILDREN),$(eval $(call breakout_process,$(BO)/bulkhead-$(p),$(p))))
$(BO)/bulkhead-core: $(call obj,tests/breakout/core.c)
$(BO)/bulkhead-core: BO_WRAPPED += ram_create
$(BO)/bulkhead-api: private LIBS += -ljansson
$(BO)/breakout: $(call obj,$(BO_HARNESS) $(BO_PAYLOAD)) $(COMMON_OBJ)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(BO_LINK)
$(BO)/guest: tests/breakout/guest.S tests/breakout/breakout.mk
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(LINK_GUEST)

BREAKOUT := $(BO)/breakout $(BO)/bulkhead $(CHILDREN:%=$(BO)/bulkhead-%) $(BO)/guest

breakout-programs: $(BREAKOUT)
check-breakout: all breakout-programs ## our own processes turned evil, as far as it needs no device
	@tests/breakout/check $(B)

breakout: check-breakout ## the same with devices, in the rig, on two kernels
	@tests/rig/run breakout-stock breakout-full

breakout-matrix: ## the matrix of the last `make breakout`: printed, and put into SECURITY.md
	@for k in stock full; do [ ! -e $(BUILD)/rig/breakout-$$k/rows ] || \
	 cp $(BUILD)/rig/breakout-$$k/rows tests/breakout/rows.$$k; done
	@tests/breakout/matrix --write
	@tests/breakout/matrix

breakout-mutants: all breakout-programs ## is every deliberately weakened build caught? NAME= one
	@tests/breakout/mutants $(B) $(NAME)
.PHONY: breakout breakout-programs breakout-mutants check-breakout breakout-matrix
