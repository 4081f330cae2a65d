// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* From what triggers call interfaces to those there are. */
#include <stdio.h>
#include <string.h>

#include "attach.h"
#include "record.h"

struct resolving {
	const struct bundle_trigger *trigger;
	uint32_t index; /* of the trigger */
	const struct netns *netns;
	const struct interface_list *list;
	struct record *record;
	struct diags *diags;
};

static int add(const struct resolving *resolving, const struct interface_link *link)
{
	struct record *record = resolving->record;
	struct attachment *attachment;

	for (uint32_t i = 0; i < record->attachment_count; i++)
		if (record->attachments[i].trigger == resolving->index &&
		    record->attachments[i].interface.index == link->index)
			return 0; /* named twice */
	if (record->attachment_count == RECORD_ATTACHMENTS_MAX)
		return diag_fail(resolving->diags, DIAG_FAILED,
				 "name those that are needed, or use a narrower pattern",
				 "the triggers mean more than %zu interfaces",
				 RECORD_ATTACHMENTS_MAX);
	record->netns_cookie = resolving->netns->cookie;
	attachment = &record->attachments[record->attachment_count++];
	*attachment = (struct attachment){
		.trigger = resolving->index,
		.hook = attach_hook_of(resolving->trigger->hook),
		.interface = {.netns_inode = resolving->netns->inode, .index = link->index}};
	snprintf(attachment->interface.name, sizeof(attachment->interface.name), "%s", link->name);
	return 0;
}

static int report_none(const struct resolving *resolving, const char *name)
{
	const char *where = resolving->netns->path;
	char there[DIAG_TEXT_BYTES / 2], advice[DIAG_TEXT_BYTES];

	interface_list_text(resolving->list, there, sizeof(there));
	snprintf(advice, sizeof(advice), "there are: %s%s", there,
		 where[0] ? "" : "; --netns looks into another network namespace");
	if (!interface_is_pattern(name))
		return diag_fail(resolving->diags, DIAG_NOT_FOUND, advice,
				 "trigger %s: no interface `%s`%s%s", resolving->trigger->name,
				 name, where[0] ? " in " : "", where);
	return diag_fail(resolving->diags, DIAG_NOT_FOUND, advice,
			 "trigger %s: `%s` means no interface%s%s%s", resolving->trigger->name,
			 name, where[0] ? " in " : "", where,
			 strcmp(name, BUNDLE_ANY_INTERFACE)
				 ? ""
				 : " (Ethernet, not built on others, not loopback)");
}

static int resolve_name(const struct resolving *resolving, const char *name)
{
	bool found = false;

	for (uint32_t i = 0; i < resolving->list->count; i++) {
		if (!interface_is_meant(&resolving->list->links[i], name))
			continue;
		found = true;
		if (add(resolving, &resolving->list->links[i]))
			return -1;
	}
	return found ? 0 : report_none(resolving, name);
}

int attach_resolve(const struct bundle *bundle, const struct netns *netns, struct record *ret,
		   struct diags *diags)
{
	struct interface_list list;
	int error = interface_list_read(&list), result = 0;

	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "listing the interfaces: %s",
				 strerror(-error));
	ret->attachment_count = 0;
	for (uint32_t i = 0; i < bundle->trigger_count; i++) {
		const struct bundle_trigger *trigger = &bundle->triggers[i];
		const struct resolving resolving = {trigger, i, netns, &list, ret, diags};

		for (uint32_t k = 0; k < trigger->interface_count; k++)
			if (resolve_name(&resolving, trigger->interfaces[k]))
				result = -1;
	}
	interface_list_free(&list);
	return result;
}
