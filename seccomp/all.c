/* SPDX-License-Identifier: Apache-2.0
 *
 * Every policy in one list: linked into the lister and the tests, into no process.
 */
#include <stddef.h>

#include "seccomp/policy.h"

const struct policy *const policies[] = {
	&policy_launch_run, &policy_open_run, &policy_core_setup, &policy_core_run, &policy_vcpu_run, &policy_broker_setup,
	&policy_broker_run, &policy_vfio_setup, &policy_vfio_run, &policy_vdpa_setup,
	&policy_vdpa_run, &policy_null_setup, &policy_null_run, &policy_api_run, NULL,
};
