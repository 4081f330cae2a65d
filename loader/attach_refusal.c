// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach_refusal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The trigger that a rule of the new workflow came from. */
static const char *trigger_name(const struct bundle *bundle, const struct faas_rule *rule)
{
	for (uint32_t i = 0; i < bundle->trigger_count; i++)
		if (bundle->triggers[i].id == rule->leads_to.trigger)
			return bundle->triggers[i].name;
	return "?";
}

/* Whose rule it is: one of @p bundle itself has no slot yet, or the bundle's name. */
static void owner_text(const struct host *host, const struct bundle *bundle,
		       const struct faas_rule *rule, char *ret, size_t bytes)
{
	uint32_t slot = rule->leads_to.slot;
	const char *name = host && host->registry && slot < FAAS_SLOTS_MAX
				   ? host->registry[slot].name
				   : bundle->name;

	if (strcmp(name, bundle->name))
		snprintf(ret, bytes, "workflow %s", name);
	else
		snprintf(ret, bytes, "trigger %s", trigger_name(bundle, rule));
}

static int report_collision(const struct host *host, const struct bundle *bundle,
			    const struct root *root, const struct dispatch_refusal *refusal,
			    struct diags *diags)
{
	char mine[DISPATCH_RULE_TEXT_BYTES], other[DISPATCH_RULE_TEXT_BYTES], owner[128];

	dispatch_rule_text(&refusal->rule, mine, sizeof(mine));
	dispatch_rule_text(&refusal->others[0], other, sizeof(other));
	owner_text(host, bundle, &refusal->others[0], owner, sizeof(owner));
	return diag_fail(diags, DIAG_FAILED,
			 "give one of them a `priority` (the higher takes the packet), match more "
			 "specifically, or unload the other",
			 "trigger %s: %s on %s (%s) belongs to %s already: its %s is as specific, "
			 "and both have priority %d",
			 trigger_name(bundle, &refusal->rule), mine, root->interface.name,
			 attach_hook_name(root->hook), owner, other, refusal->rule.priority);
}

static int report_candidates(const struct host *host, const struct bundle *bundle,
			     const struct root *root, const struct dispatch_refusal *refusal,
			     struct diags *diags)
{
	char mine[DISPATCH_RULE_TEXT_BYTES], others[DIAG_TEXT_BYTES] = "";

	dispatch_rule_text(&refusal->rule, mine, sizeof(mine));
	for (uint32_t i = 0; i < refusal->other_count; i++) {
		char text[DISPATCH_RULE_TEXT_BYTES], owner[128];
		size_t used = strlen(others);

		dispatch_rule_text(&refusal->others[i], text, sizeof(text));
		owner_text(host, bundle, &refusal->others[i], owner, sizeof(owner));
		snprintf(others + used, sizeof(others) - used, "%s%s (%s)", i ? "; " : "", text,
			 owner);
	}
	return diag_fail(diags, DIAG_FAILED,
			 "join ranges or prefixes that overlap, or unload one of these workflows",
			 "trigger %s: %s on %s (%s): at most %d rules can be tried for one packet, "
			 "there are already %s",
			 trigger_name(bundle, &refusal->rule), mine, root->interface.name,
			 attach_hook_name(root->hook), FAAS_CANDIDATES_MAX, others);
}

int refusal_report(const struct host *host, const struct bundle *bundle, const struct root *root,
		   int error, const struct dispatch_refusal *refusal, struct diags *diags)
{
	const char *name = root->interface.name, *hook = attach_hook_name(root->hook);

	if (error == -E2BIG)
		return diag_fail(diags, DIAG_INVALID, "split the trigger, or name fewer",
				 "a trigger of %s has more than %d combinations of what its match "
				 "lists",
				 bundle->name, FAAS_TRIGGER_RULES_MAX);
	if (error == -EILSEQ)
		return diag_fail(diags, DIAG_FAILED,
				 "unload the workflows of this interface and load them again",
				 "the trigger tables of %s (%s) are damaged", name, hook);
	if (error != -EEXIST)
		return diag_fail(diags, DIAG_FAILED, NULL, "the trigger tables of %s (%s): %s",
				 name, hook, strerror(-error));
	switch (refusal->kind) {
	case REFUSED_COLLISION:
		return report_collision(host, bundle, root, refusal, diags);
	case REFUSED_CANDIDATES:
		return report_candidates(host, bundle, root, refusal, diags);
	default:
		return diag_fail(diags, DIAG_FAILED,
				 "unload some workflows, or match with fewer ranges, prefixes and "
				 "conditions",
				 "the trigger table `%s` of %s (%s) is full: it has %u entries",
				 refusal->full ? refusal->full : "?", name, hook,
				 refusal->full_max);
	}
}
