// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach_redirect.h"

#include <string.h>

#include "netdev.h"

#define ADVICE                                                                                     \
	"or write `hook: xdp-generic` or `hook: tc-ingress`, whose packets every interface sends"

/* A trigger whose verdicts are enforced in native XDP, or NULL. */
static const struct bundle_trigger *native_trigger(const struct bundle *bundle)
{
	for (uint32_t i = 0; i < bundle->trigger_count; i++)
		if (bundle->triggers[i].hook == HOOK_XDP &&
		    bundle->triggers[i].mode != MODE_OBSERVE)
			return &bundle->triggers[i];
	return NULL;
}

/* Most drivers begin to send with the first program on the interface itself, which this
 * workflow may bring. The ends of a veth do when the other end listens. */
static bool becomes_able(const struct bundle *bundle, const struct record *record,
			 const struct interface_link *link)
{
	if (!strcmp(link->kind, "veth"))
		return false;
	for (uint32_t i = 0; i < record->attachment_count; i++)
		if (record->attachments[i].interface.index == link->index &&
		    bundle->triggers[record->attachments[i].trigger].hook == HOOK_XDP)
			return true;
	return false;
}

int attach_check_redirects(const struct bundle *bundle, const struct record *record,
			   const struct interface_list *list, struct diags *diags)
{
	const struct bundle_trigger *trigger = native_trigger(bundle);
	int result = 0;

	for (uint32_t i = 0; trigger && i < bundle->redirect_count; i++) {
		const struct interface_link *link = interface_by_name(list, bundle->redirects[i]);
		uint64_t features;

		/* One that is not there is refused where its index is needed. Older
		 * kernels do not say. */
		if (!link || netdev_xdp_features(link->index, &features) ||
		    features & NETDEV_XDP_SENDS || becomes_able(bundle, record, link))
			continue;
		result = diag_fail(
			diags, DIAG_PLATFORM,
			strcmp(link->kind, "veth")
				? "a driver may need an XDP program on the interface itself: name "
				  "it in a trigger; " ADVICE
				: "put an XDP program on its other end, or `ethtool -K PEER gro "
				  "on` there; " ADVICE,
			"trigger %s: %s redirects packets to %s, which does not send what native "
			"XDP redirects to it: they would be lost",
			trigger->name, bundle->name, link->name);
	}
	return result;
}
