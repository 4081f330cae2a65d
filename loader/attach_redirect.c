// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach_redirect.h"

#include <string.h>

#include "netdev.h"

#define ADVICE                                                                                     \
	"or write `hook: xdp-generic` or `hook: tc-ingress`, whose packets every interface sends"

/* Whether a redirection stands behind these targets, and is enforced. @p seen has a bit
 * for each function that was looked at. */
static bool lead_to(const struct bundle *bundle, const struct bundle_target *targets,
		    uint32_t count, bool observed, uint32_t redirect, uint32_t *seen)
{
	_Static_assert(FAAS_KERNEL_FUNCTIONS_MAX <= 32, "each function has a bit");

	for (uint32_t i = 0; i < count; i++) {
		const struct bundle_function *function;

		if (targets[i].kind == TARGET_VERDICT && targets[i].index == VERDICT_REDIRECT &&
		    targets[i].redirect == redirect && !observed)
			return true;
		if (targets[i].kind != TARGET_KERNEL || *seen & 1u << targets[i].index)
			continue;
		*seen |= 1u << targets[i].index;
		function = &bundle->kernel[targets[i].index];
		for (uint32_t k = 0; k < function->output_count; k++)
			if (lead_to(bundle, function->outputs[k].targets,
				    function->outputs[k].target_count, function->observe, redirect,
				    seen))
				return true;
	}
	return false;
}

/* A trigger whose packets are redirected there by native XDP, or NULL. */
static const struct bundle_trigger *find_trigger(const struct bundle *bundle, uint32_t redirect)
{
	for (uint32_t i = 0; i < bundle->trigger_count; i++) {
		const struct bundle_trigger *trigger = &bundle->triggers[i];
		uint32_t seen = 0;

		if (trigger->hook == HOOK_XDP && trigger->mode != MODE_OBSERVE &&
		    lead_to(bundle, trigger->targets, trigger->target_count, false, redirect,
			    &seen))
			return trigger;
	}
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
	int result = 0;

	for (uint32_t i = 0; i < bundle->redirect_count; i++) {
		const struct bundle_trigger *trigger = find_trigger(bundle, i);
		const struct interface_link *link = interface_by_name(list, bundle->redirects[i]);
		uint64_t features;

		/* One that is not there is refused where its index is needed. Older
		 * kernels do not say. */
		if (!trigger || !link || netdev_xdp_features(link->index, &features) ||
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
