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
