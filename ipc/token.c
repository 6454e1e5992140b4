/* SPDX-License-Identifier: Apache-2.0
 *
 * A VF token on the wire, and what the kernel says to one (linux/vfio.h,
 * VFIO_DEVICE_FEATURE_PCI_VF_TOKEN). Core, broker and VFIO helper; no state.
 */
#include <errno.h>
#include <string.h>

#include "ipc/token.h"

ProtobufCBinaryData token_to_wire(struct vf_token *token)
{
	return (ProtobufCBinaryData){.len = token->given ? sizeof(token->uuid) : 0,
		.data = token->uuid};
}

int token_from_wire(const ProtobufCBinaryData *in, struct vf_token *ret, struct err *err)
{
	struct vf_token token = {.given = in->len != 0};

	if (token.given && in->len != sizeof(token.uuid))
		return err_set(err, -EBADMSG, BLAME_PEER, "sent a VF token of %zu bytes", in->len);
	if (token.given)
		memcpy(token.uuid, in->data, sizeof(token.uuid));
	*ret = token;
	return 0;
}

int token_explain(const char *name, const struct vf_token *token, int code, struct err *err)
{
	if (code == -EINVAL)
		return err_set(err, code, BLAME_HOST,
			"%s has no VF token: it is no virtual function, or its physical one is not on "
			"vfio-pci; leave vf_token= out", name);
	if (token->given)
		return err_set(err, code, BLAME_HOST,
			"%s: its physical function has another VF token than vf_token= says; give the "
			"one that whoever has that open has set", name);
	return err_set(err, code, BLAME_HOST,
		"%s opens only with its VF token, as its physical function is on vfio-pci, too; give "
		"--device vf_token=UUID, the one that whoever has that open has set", name);
}
