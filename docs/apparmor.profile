# SPDX-License-Identifier: Apache-2.0
#
# For hosts whose AppArmor takes all capabilities from a process in a user namespace of its own, so
# that it cannot even make its root empty (Ubuntu 23.10 and newer, where sysctl
# kernel.apparmor_restrict_unprivileged_userns is 1). It allows bulkhead its namespaces and confines
# nothing: what confines bulkhead is bulkhead. Its other processes inherit it, as no profile is
# attached to them. `make install-apparmor` puts it in place; then
#
#     apparmor_parser -r /etc/apparmor.d/bulkhead
#
# It takes AppArmor 4.0, which older releases lack and do not need.
abi <abi/4.0>,
include <tunables/global>

profile bulkhead @PREFIX@/bin/bulkhead flags=(unconfined) {
  userns,

  include if exists <local/bulkhead>
}
