// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "attach_redirect.h"
#include "attach_refusal.h"
#include "attach_root.h"
#include "dispatch_maps.h"
#include "preflight.h"
#include "record.h"

/* Stands for a workflow that has no slot yet: no real one is so high. */
#define SLOT_TO_BE (FAAS_REF_CHAIN - 1)
_Static_assert(FAAS_SLOTS_MAX <= SLOT_TO_BE, "no workflow has this slot");

enum attach_hook attach_hook_of(enum bundle_hook hook)
{
	switch (hook) {
	case HOOK_TC_INGRESS:
		return ATTACH_TC_INGRESS;
	case HOOK_TC_EGRESS:
		return ATTACH_TC_EGRESS;
	default:
		return ATTACH_XDP;
	}
}

/* ---- the rules of a workflow at one root ------------------------------------------ */

struct rules {
	struct faas_rule *list;
	uint32_t count;
};

static bool is_at(const struct attachment *attachment, const struct root *root)
{
	return attachment->hook == root->hook &&
	       attachment->interface.index == root->interface.index &&
	       attachment->interface.netns_inode == root->interface.netns_inode;
}

static struct root root_of(const struct attachment *attachment)
{
	return (struct root){.interface = attachment->interface, .hook = attachment->hook};
}

/* Whether no attachment before this one is at the same root. */
static bool is_first(const struct record *record, uint32_t index)
{
	struct root root = root_of(&record->attachments[index]);

	for (uint32_t i = 0; i < index; i++)
		if (is_at(&record->attachments[i], &root))
			return false;
	return true;
}

/* All rules that @p bundle has at @p root; rules->list is owned then. 0 or -errno. */
static int collect(const struct bundle *bundle, const struct record *record, uint32_t slot,
		   const struct root *root, struct rules *rules)
{
	uint32_t count = 0;
	int error = 0;

	*rules = (struct rules){NULL, 0};
	for (uint32_t i = 0; bundle && !error && i < record->attachment_count; i++) {
		const struct attachment *attachment = &record->attachments[i];
		struct faas_rule *list;

		if (!is_at(attachment, root) || attachment->trigger >= bundle->trigger_count)
			continue;
		list = realloc(rules->list,
			       (rules->count + FAAS_TRIGGER_RULES_MAX) * sizeof(*list));
		if (!list)
			return -ENOMEM;
		rules->list = list;
		error = dispatch_rules_expand(&bundle->triggers[attachment->trigger], slot,
					      &list[rules->count], &count);
		if (!error)
			rules->count += count;
	}
	return error;
}

/* Open the tables of a root. */
static int open_tables(const struct host *host, const struct root *root, struct dispatch_maps *maps,
		       struct dispatch **ret)
{
	char path[FAAS_PATH_BYTES];
	int error;

	root_path(root, NULL, path, sizeof(path));
	error = dispatch_maps_open(host, path, maps);
	return error ? error : dispatch_open(&maps->storage, ret);
}

/* ---- checking ------------------------------------------------------------------------ */

struct check {
	const struct host *host;
	uint32_t own_slot;
	const struct bundle *bundle;
	const struct record *record;
	struct diags *diags;
};

/* Try the change in memory. */
static int check_rules(const struct check *check, const struct root *root, bool exists)
{
	uint32_t slot = check->own_slot ? check->own_slot : SLOT_TO_BE;
	struct dispatch_refusal refusal = {.kind = REFUSED_NOT};
	struct dispatch_maps maps = {.fds = {-1, -1, -1}};
	struct dispatch *dispatch = NULL;
	struct rules rules;
	int error;

	error = collect(check->bundle, check->record, slot, root, &rules);
	if (!error)
		error = exists ? open_tables(check->host, root, &maps, &dispatch)
			       : dispatch_open(NULL, &dispatch);
	if (!error && check->own_slot)
		error = dispatch_remove(dispatch, slot, rules.list, rules.count);
	if (!error)
		error = dispatch_insert(dispatch, rules.list, rules.count, &refusal);
	if (!error)
		error = dispatch_fits(dispatch, &refusal);
	dispatch_close(dispatch);
	dispatch_maps_close(&maps);
	free(rules.list);
	return error ? refusal_report(check->host, check->bundle, root, error, &refusal,
				      check->diags)
		     : 0;
}

/* One root is native or generic, for all workflows. */
static int check_xdp_mode(const struct check *check, const struct root *root, bool exists)
{
	const char *native = NULL, *generic = NULL;

	for (uint32_t i = 0; i < check->record->attachment_count; i++) {
		const struct attachment *attachment = &check->record->attachments[i];
		const struct bundle_trigger *trigger =
			&check->bundle->triggers[attachment->trigger];

		if (is_at(attachment, root))
			*(trigger->hook == HOOK_XDP ? &native : &generic) = trigger->name;
	}
	if (native && generic)
		return diag_fail(check->diags, DIAG_INVALID,
				 "an interface is in one of the two modes: write the same hook "
				 "in both",
				 "trigger %s asks for `hook: xdp` on %s, trigger %s for "
				 "`hook: xdp-generic`",
				 native, root->interface.name, generic);
	if (native && exists && xdp_mode(root) == ATTACH_GENERIC)
		return diag_fail(
			check->diags, DIAG_FAILED,
			"write `hook: xdp-generic`, or unload the other workflows of this "
			"interface",
			"interface %s is used in generic mode by a workflow that is loaded, "
			"trigger %s asks for native",
			root->interface.name, native);
	return 0;
}

/* A match by VLAN needs to see tags. */
static int check_vlan(const struct check *check, const struct root *root)
{
	char cause[PREFLIGHT_TEXT_BYTES], advice[PREFLIGHT_TEXT_BYTES];
	const char *trigger = NULL;
	struct preflight_facts facts;

	for (uint32_t i = 0; i < check->record->attachment_count; i++) {
		const struct attachment *attachment = &check->record->attachments[i];

		if (is_at(attachment, root) &&
		    check->bundle->triggers[attachment->trigger].match.vlan_count)
			trigger = check->bundle->triggers[attachment->trigger].name;
	}
	if (!trigger)
		return 0;
	preflight_read(root->interface.name, &facts);
	if (!preflight_hides_vlan(&facts, cause, advice))
		return 0;
	return diag_fail(check->diags, DIAG_PLATFORM, advice, "trigger %s: %s", trigger, cause);
}

static int check_kind(const struct check *check, const struct attachment *attachment,
		      const struct interface_list *list)
{
	const struct bundle_trigger *trigger = &check->bundle->triggers[attachment->trigger];
	const struct interface_link *link = interface_by_index(list, attachment->interface.index);
	char cause[INTERFACE_TEXT_BYTES], advice[INTERFACE_TEXT_BYTES];

	if (!link)
		return diag_fail(check->diags, DIAG_NOT_FOUND, "`ip link` shows those there are",
				 "interface %s went away", attachment->interface.name);
	if (!interface_check_kind(link, list, trigger->hook, cause, advice))
		return 0;
	return diag_fail(check->diags, DIAG_PLATFORM, advice, "trigger %s: %s", trigger->name,
			 cause);
}

static int check_root(const struct check *check, const struct root *root)
{
	bool exists = root_program(root) != 0;

	if (root->hook == ATTACH_XDP &&
	    (xdp_check(root, check->diags) || check_xdp_mode(check, root, exists) ||
	     check_vlan(check, root)))
		return -1;
	return check_rules(check, root, exists);
}

int attach_check(const struct host *host, uint32_t own_slot, const struct bundle *bundle,
		 const struct record *record, struct diags *diags)
{
	struct check check = {host, own_slot, bundle, record, diags};
	struct interface_list list;
	int error = interface_list_read(&list), result = 0;

	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "listing the interfaces: %s",
				 strerror(-error));
	for (uint32_t i = 0; i < record->attachment_count; i++)
		if (check_kind(&check, &record->attachments[i], &list))
			result = -1;
	for (uint32_t i = 0; !result && i < record->attachment_count; i++) {
		struct root root = root_of(&record->attachments[i]);

		if (is_first(record, i) && check_root(&check, &root))
			result = -1;
	}
	if (!result)
		result = attach_check_redirects(bundle, record, &list, diags);
	interface_list_free(&list);
	return result;
}

bool attach_resets(const struct attachment *attachment, const struct bundle *bundle,
		   char ret_driver[ATTACH_DRIVER_BYTES])
{
	struct root root = root_of(attachment);
	struct preflight_facts facts;

	if (bundle->triggers[attachment->trigger].hook != HOOK_XDP || root_program(&root))
		return false;
	preflight_read(attachment->interface.name, &facts);
	_Static_assert(sizeof(facts.driver) == ATTACH_DRIVER_BYTES, "a driver's name fits");
	memcpy(ret_driver, facts.driver, sizeof(facts.driver));
	return preflight_resets(&facts);
}

/* ---- changing ------------------------------------------------------------------------- */

static int put_root(const struct host *host, uint32_t slot, const struct bundle *bundle,
		    const struct record *record, const struct root *root, struct diags *diags)
{
	struct dispatch_refusal refusal = {.kind = REFUSED_NOT};
	struct dispatch_maps maps = {.fds = {-1, -1, -1}};
	struct dispatch *dispatch = NULL;
	struct rules rules;
	int error;

	error = collect(bundle, record, slot, root, &rules);
	if (!error)
		error = open_tables(host, root, &maps, &dispatch);
	if (!error)
		error = dispatch_insert(dispatch, rules.list, rules.count, &refusal);
	if (!error)
		error = dispatch_commit(dispatch, &refusal);
	dispatch_close(dispatch);
	dispatch_maps_close(&maps);
	free(rules.list);
	return error ? refusal_report(host, bundle, root, error, &refusal, diags) : 0;
}

int attach_put(const struct host *host, uint32_t slot, const struct bundle *bundle,
	       const struct record *record, struct diags *diags)
{
	for (uint32_t i = 0; i < record->attachment_count; i++) {
		const struct attachment *attachment = &record->attachments[i];
		struct root root = root_of(attachment);

		char name[IF_NAMESIZE];

		if (!is_first(record, i) || !if_indextoname(root.interface.index, name))
			continue;
		if (!root_program(&root) &&
		    root_make(host, &root, bundle->triggers[attachment->trigger].hook, diags))
			return -1;
		if (put_root(host, slot, bundle, record, &root, diags))
			return -1;
	}
	return 0;
}

struct retaining {
	const struct host *host;
	uint32_t slot;
	const struct bundle *keep;
	const struct record *record;
	int error;
};

static void retain_root(const struct root *root, void *context)
{
	struct retaining *retaining = context;
	struct dispatch_maps maps = {.fds = {-1, -1, -1}};
	struct dispatch_refusal refusal;
	struct dispatch *dispatch = NULL;
	struct rules keep;
	int error;

	error = collect(retaining->keep, retaining->record, retaining->slot, root, &keep);
	if (!error)
		error = open_tables(retaining->host, root, &maps, &dispatch);
	if (!error)
		error = dispatch_remove(dispatch, retaining->slot, keep.list, keep.count);
	if (!error)
		error = dispatch_commit(dispatch, &refusal);
	dispatch_close(dispatch);
	dispatch_maps_close(&maps);
	free(keep.list);
	/* A killed command may have left a directory without tables. */
	if (error && error != -ENOENT && !retaining->error)
		retaining->error = error;
}

int attach_retain(const struct host *host, uint32_t slot, const struct bundle *keep,
		  const struct record *keep_record)
{
	struct retaining retaining = {host, slot, keep, keep_record, 0};

	int error = root_each(retain_root, &retaining);

	return retaining.error ? retaining.error : error;
}

static bool is_unused(const struct root *root)
{
	struct dispatch_maps maps = {.fds = {-1, -1, -1}};
	struct dispatch *dispatch = NULL;
	bool used;
	int error;

	error = open_tables(NULL, root, &maps, &dispatch);
	if (!error)
		used = !dispatch_empty(dispatch);
	else
		used = error != -ENOENT; /* unknown: leave it */
	dispatch_close(dispatch);
	dispatch_maps_close(&maps);
	return !used;
}

static void remove_unused(const struct root *root, void *context)
{
	(void)context;
	if (is_unused(root))
		root_remove(root);
}

void attach_remove_unused(void)
{
	(void)root_each(remove_unused, NULL);
}

struct sweeping {
	bool remove;
	void (*found)(const char *directory, void *context);
	void *context;
};

static void sweep(const struct root *root, void *context)
{
	const struct sweeping *sweeping = context;
	int link = root_open_pin(root, FAAS_PIN_LINK);
	bool gone = link >= 0 && !root_link_program(root);
	char path[FAAS_PATH_BYTES];

	if (link >= 0)
		close(link);
	if (!gone && !is_unused(root))
		return;
	root_path(root, NULL, path, sizeof(path));
	sweeping->found(path, sweeping->context);
	if (sweeping->remove)
		root_remove(root);
}

void attach_sweep(bool remove, void (*found)(const char *directory, void *context), void *context)
{
	struct sweeping sweeping = {remove, found, context};

	(void)root_each(sweep, &sweeping);
}

/* ---- looking ---------------------------------------------------------------------------- */

enum attach_mode attach_query(const struct interface *interface, enum attach_hook hook)
{
	struct root root = {*interface, hook};

	return hook == ATTACH_XDP ? xdp_mode(&root) : tc_mode(&root);
}

const char *attach_mode_name(enum attach_mode mode)
{
	static const char *const names[] = {"gone",	"native", "generic",
					    "hardware", "tcx",	  "clsact"};

	return names[mode];
}

int attach_counters(const struct interface *interface, enum attach_hook hook,
		    struct faas_root_counters *ret)
{
	struct root root = {*interface, hook};
	int cpus = libbpf_num_possible_cpus(), fd, error = 0;
	struct faas_root_counters *each, sum = {0};
	uint32_t zero = 0;

	if (cpus < 0)
		return cpus;
	fd = root_open_pin(&root, FAAS_PIN_ROOT_COUNTERS);
	if (fd < 0)
		return fd;
	each = calloc((size_t)cpus, sizeof(*each));
	if (!each || bpf_map_lookup_elem(fd, &zero, each))
		error = each ? -errno : -ENOMEM;
	for (int i = 0; !error && i < cpus; i++) {
		sum.unmatched += each[i].unmatched;
		sum.fragments += each[i].fragments;
		sum.not_ip += each[i].not_ip;
		sum.other_protocol += each[i].other_protocol;
		sum.malformed += each[i].malformed;
		sum.nonlinear += each[i].nonlinear;
	}
	free(each);
	close(fd);
	if (!error)
		*ret = sum;
	return error;
}
