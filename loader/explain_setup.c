// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The programs in maps of their own, made ready for packets. See explain.h. */
#include "explain_internal.h"

#include <errno.h>
#include <fnmatch.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "counters.h"
#include "dispatch_maps.h"
#include "kernel_object.h"
#include "paths.h"

/* Holds no program: a root program of which every packet comes here describes it. */
#define DESCRIBING_SLOT (FAAS_SLOTS_MAX - 1)
#define EXPLAIN_GENERATION 1
#define ROOT_COUNTERS (sizeof(struct faas_root_counters) / sizeof(uint64_t))

bool explain_trigger_counts(const struct bundle_trigger *trigger, enum bundle_hook hook,
			    const char *interface)
{
	if (explain_is_xdp(hook) ? !explain_is_xdp(trigger->hook) : trigger->hook != hook)
		return false;
	for (uint32_t i = 0; interface && i < trigger->interface_count; i++)
		if (!strcmp(trigger->interfaces[i], "any") ||
		    !fnmatch(trigger->interfaces[i], interface, 0))
			return true;
	return !interface;
}

/* ---- counters ---------------------------------------------------------------- */

int explain_read_root_counters(const struct explain *explain, int fd,
			       struct faas_root_counters *ret)
{
	struct faas_root_counters *each = calloc((size_t)explain->cpus, sizeof(*each));
	uint64_t *sum = (uint64_t *)(void *)ret;
	uint32_t zero = 0;
	int error = each ? 0 : -ENOMEM;

	if (!error && bpf_map_lookup_elem(fd, &zero, each))
		error = -errno;
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; !error && i < (size_t)explain->cpus * ROOT_COUNTERS; i++)
		sum[i % ROOT_COUNTERS] += ((const uint64_t *)(const void *)each)[i];
	free(each);
	return error;
}

static int map_fd(const struct bpf_object *object, const char *name)
{
	return bpf_object__find_map_fd_by_name(object, name);
}

int explain_read_meters(const struct loaded *loaded, struct explain_meters *ret)
{
	memset(ret, 0, sizeof(*ret));
	return counters_meters(loaded->meters_fd, ret,
			       sizeof(ret->ledger) +
				       loaded->bundle.kernel_count * sizeof(ret->functions[0]));
}

/* ---- programs ---------------------------------------------------------------- */

static int refused(const char *what, int error, struct diags *diags)
{
	return diag_fail(diags, DIAG_PLATFORM,
			 error == -EPERM || error == -EACCES ? "run as root"
							     : "Linux 6.1 or newer is needed",
			 "the kernel refused %s: %s", what, strerror(-error));
}

static int open_object(const char *name, struct bpf_object **ret, struct diags *diags)
{
	char path[FAAS_PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", paths_libexec(), name);
	*ret = bpf_object__open_file(path, NULL);
	if (!*ret)
		return diag_fail(diags, DIAG_FAILED, "is the installation complete?", "%s: %s",
				 path, strerror(errno));
	return 0;
}

static int load_host(struct explain *explain, struct diags *diags)
{
	int error;

	if (open_object("host.bpf.o", &explain->host_object, diags))
		return -1;
	error = counters_size(explain->host_object);
	if (!error)
		error = bpf_object__load(explain->host_object);
	if (error)
		return refused("maps", error, diags);
	explain->host.slots_fd = map_fd(explain->host_object, FAAS_PIN_SLOTS);
	explain->host.slot_counters_fd = map_fd(explain->host_object, FAAS_PIN_SLOT_COUNTERS);
	explain->host.packet_fd = map_fd(explain->host_object, FAAS_PIN_PACKET);
	explain->host.barrier_fd = map_fd(explain->host_object, FAAS_PIN_BARRIER);
	return 0;
}

static const char *slots_name(const struct explain *explain)
{
	return explain_is_xdp(explain->hook) ? FAAS_PIN_SLOTS : FAAS_PIN_TC_SLOTS;
}

static int load_root(struct explain *explain, struct bpf_object **ret, int *ret_fd,
		     struct diags *diags)
{
	const char *shared[] = {slots_name(explain), FAAS_PIN_SLOT_COUNTERS, FAAS_PIN_PACKET};
	struct bpf_program *program;
	int error = 0;

	if (open_object(explain_is_xdp(explain->hook) ? "root.bpf.o" : "root_tc.bpf.o", ret, diags))
		return -1;
	for (size_t i = 0; !error && i < sizeof(shared) / sizeof(shared[0]); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(*ret, shared[i]);

		error = map ? bpf_map__reuse_fd(map, map_fd(explain->host_object, shared[i]))
			    : -ENOENT;
	}
	if (!error)
		error = bpf_object__load(*ret);
	program = error ? NULL : bpf_object__next_program(*ret, NULL);
	if (!program)
		return refused("the root program", error, diags);
	*ret_fd = bpf_program__fd(program);
	return 0;
}

/* Everything that can be parsed leads to the slot that describes. */
static int lead_all(const struct explain *explain, struct diags *diags)
{
	struct faas_trigger_ref ref = {.slot = DESCRIBING_SLOT, .trigger = 1};
	uint32_t class = FAAS_CLASS_ANY, zero = 0, stages = FAAS_STAGE_ANY;

	if (bpf_map_update_elem(map_fd(explain->describing, FAAS_PIN_CLASSES), &class, &ref,
				BPF_ANY) ||
	    bpf_map_update_elem(map_fd(explain->describing, FAAS_PIN_STAGES), &zero, &stages,
				BPF_ANY))
		return diag_fail(diags, DIAG_FAILED, NULL, "writing the trigger tables: %s",
				 strerror(errno));
	return 0;
}

static int silent(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

int explain_open(enum bundle_hook hook, struct explain **ret, struct diags *diags)
{
	struct explain *explain = calloc(1, sizeof(*explain));
	cpu_set_t cpus;

	if (!explain)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	explain->hook = hook;
	explain->host.detached = true;
	explain->cpus = libbpf_num_possible_cpus();
	/* State by CPU builds up on one, as the packets of one queue do. */
	CPU_ZERO(&cpus);
	CPU_SET((size_t)sched_getcpu(), &cpus);
	libbpf_set_print(silent);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) || explain->cpus < 1) {
		diag_fail(diags, DIAG_FAILED, NULL, "staying on one CPU: %s", strerror(errno));
		goto failed;
	}
	if (load_host(explain, diags) ||
	    load_root(explain, &explain->deciding, &explain->deciding_fd, diags) ||
	    load_root(explain, &explain->describing, &explain->describing_fd, diags) ||
	    lead_all(explain, diags))
		goto failed;
	*ret = explain;
	return 0;
failed:
	explain_close(explain);
	return -1;
}

static void unload(struct loaded *loaded)
{
	ring_buffer__free(loaded->ring);
	bpf_object__close(loaded->object);
	for (uint32_t i = 0; i < FAAS_KERNEL_FUNCTIONS_MAX; i++)
		free(loaded->functions[i]);
	free(loaded->rules);
	free(loaded);
}

void explain_close(struct explain *explain)
{
	if (!explain)
		return;
	for (uint32_t i = 0; i < explain->workflow_count; i++)
		unload(explain->workflows[i]);
	free(explain->workflows);
	bpf_object__close(explain->describing);
	bpf_object__close(explain->deciding);
	bpf_object__close(explain->host_object);
	free(explain);
}

/* ---- workflows --------------------------------------------------------------- */

/* One record out of the ring, as the worker would get it. */
static int on_event(void *context, void *data, size_t bytes)
{
	struct loaded *loaded = context;
	struct explain_outcome *outcome = loaded->outcome;
	const struct faas_event *head = data;
	struct explain_event *event;
	const uint8_t *fields;

	if (!outcome || outcome->event_count == EXPLAIN_EVENTS_MAX || bytes < sizeof(*head) ||
	    head->key_bytes > FAAS_KEY_BYTES_MAX || head->field_count > FAAS_RECORD_FIELDS_MAX ||
	    bytes < FAAS_EVENT_BYTES(head->key_bytes, head->field_count, 0))
		return 0;
	event = &outcome->events[outcome->event_count++];
	event->head = *head;
	memcpy(event->key, (const uint8_t *)data + FAAS_EVENT_KEY_OFFSET, head->key_bytes);
	fields = (const uint8_t *)data + FAAS_EVENT_KEY_OFFSET + FAAS_ALIGN8(head->key_bytes);
	memcpy(event->fields, fields, sizeof(uint64_t) * head->field_count);
	return 0;
}

static int expand_rules(struct explain *explain, struct loaded *loaded, struct diags *diags)
{
	for (uint32_t i = 0; i < loaded->bundle.trigger_count; i++) {
		const struct bundle_trigger *trigger = &loaded->bundle.triggers[i];
		struct faas_rule *more;
		uint32_t count = 0;
		int error;

		if (!explain_trigger_counts(trigger, explain->hook, explain->interface))
			continue;
		more = reallocarray(loaded->rules, loaded->rule_count + FAAS_TRIGGER_RULES_MAX,
				    sizeof(*more));
		if (!more)
			return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		loaded->rules = more;
		error = dispatch_rules_expand(trigger, loaded->slot, more + loaded->rule_count,
					      &count);
		if (error)
			return diag_fail(diags, DIAG_INVALID,
					 error == -E2BIG ? "write fewer values into its lists, or "
							   "several triggers"
							 : NULL,
					 "the match of trigger %s of %s cannot be made into rules: "
					 "%s",
					 trigger->name, loaded->bundle.name,
					 error == -E2BIG ? "too many combinations"
							 : strerror(-error));
		loaded->rule_count += count;
	}
	return 0;
}

static int copy_functions(struct loaded *loaded, const struct function *const *functions)
{
	for (uint32_t i = 0; i < loaded->bundle.kernel_count; i++) {
		if (!functions || !functions[i])
			continue;
		loaded->functions[i] = malloc(sizeof(*loaded->functions[i]));
		if (!loaded->functions[i])
			return -ENOMEM;
		*loaded->functions[i] = *functions[i];
	}
	return 0;
}

static int start(struct explain *explain, struct loaded *loaded, struct diags *diags)
{
	int ring = map_fd(loaded->object, FAAS_PIN_RING0), program, error = 0;

	loaded->meters_fd = map_fd(loaded->object, FAAS_PIN_METERS);
	program = kernel_object_program(loaded->object, &loaded->bundle, explain->hook);
	if (program < 0 || loaded->meters_fd < 0)
		return diag_fail(diags, DIAG_INVALID, "build the bundle again",
				 "the bundle of %s has no program for this hook",
				 loaded->bundle.name);
	if (ring >= 0) {
		loaded->ring = ring_buffer__new(ring, on_event, loaded, NULL);
		error = loaded->ring ? 0 : -errno;
	}
	if (!error && bpf_map_update_elem(map_fd(explain->host_object, slots_name(explain)),
					  &loaded->slot, &program, BPF_ANY))
		error = -errno;
	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "starting %s: %s", loaded->bundle.name,
				 strerror(-error));
	return 0;
}

int explain_add(struct explain *explain, const struct bundle *bundle, const char *directory,
		const char *interface, const struct function *const *functions, struct diags *diags)
{
	struct loaded **more, *loaded;

	if (explain->workflow_count + 1 >= DESCRIBING_SLOT)
		return diag_fail(diags, DIAG_FAILED, NULL, "more than %d workflows",
				 DESCRIBING_SLOT - 1);
	for (uint32_t i = 0; i < explain->workflow_count; i++)
		if (!strcmp(explain->workflows[i]->bundle.name, bundle->name))
			return diag_fail(diags, DIAG_USAGE, "give each its own name",
					 "two workflows are called %s", bundle->name);
	explain->interface = interface;
	more = reallocarray(explain->workflows, explain->workflow_count + 1,
			    sizeof(struct loaded *));
	loaded = calloc(1, sizeof(*loaded));
	if (more)
		explain->workflows = more;
	if (!more || !loaded) {
		free(loaded);
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	}
	explain->workflows[explain->workflow_count++] = loaded;
	loaded->slot = explain->workflow_count;
	loaded->bundle = *bundle;
	if (copy_functions(loaded, functions))
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	if (expand_rules(explain, loaded, diags))
		return -1;
	if (!loaded->rule_count)
		return 0; /* nothing here can trigger it */
	if (kernel_object_load(&explain->host, bundle, directory, EXPLAIN_GENERATION,
			       &loaded->object, diags))
		return -1;
	return start(explain, loaded, diags);
}

static const struct loaded *loaded_at(const struct explain *explain, uint32_t slot)
{
	return slot && slot <= explain->workflow_count ? explain->workflows[slot - 1] : NULL;
}

struct explain_match explain_match_of(const struct explain *explain, const struct faas_rule *rule)
{
	const struct loaded *loaded = loaded_at(explain, rule->leads_to.slot);
	struct explain_match match = {.rule = rule};

	if (!loaded)
		return match;
	match.bundle = &loaded->bundle;
	for (uint32_t i = 0; i < loaded->bundle.trigger_count; i++)
		if (loaded->bundle.triggers[i].id == rule->leads_to.trigger &&
		    explain_trigger_counts(&loaded->bundle.triggers[i], explain->hook,
					   explain->interface))
			match.trigger = &loaded->bundle.triggers[i];
	return match;
}

/* ---- trigger tables ---------------------------------------------------------- */

static int report_refusal(const struct explain *explain, const struct dispatch_refusal *refusal,
			  struct diags *diags)
{
	struct explain_match one = explain_match_of(explain, &refusal->rule),
			     other = explain_match_of(explain, &refusal->others[0]);
	char text[DISPATCH_RULE_TEXT_BYTES];

	dispatch_rule_text(&refusal->rule, text, sizeof(text));
	if (refusal->kind == REFUSED_COLLISION && one.trigger && other.trigger)
		return diag_fail(diags, DIAG_FAILED, "give one of them a higher `priority`",
				 "trigger %s of %s and trigger %s of %s are equally specific: %s",
				 one.trigger->name, one.bundle->name, other.trigger->name,
				 other.bundle->name, text);
	if (refusal->kind == REFUSED_CANDIDATES && one.trigger)
		return diag_fail(diags, DIAG_FAILED, "make their matches overlap less",
				 "trigger %s of %s (%s) would be the ninth rule to try for one "
				 "packet",
				 one.trigger->name, one.bundle->name, text);
	return diag_fail(diags, DIAG_FAILED, NULL, "the table of %s holds %u entries at most",
			 refusal->full ? refusal->full : "rules", refusal->full_max);
}

static int find_map(void *context, const char *name)
{
	const struct explain *explain = context;

	return map_fd(explain->deciding, name);
}

int explain_begin(struct explain *explain, struct diags *diags)
{
	struct dispatch_refusal *refusal = calloc(1, sizeof(*refusal));
	struct dispatch_maps maps;
	struct dispatch *dispatch = NULL;
	int error = refusal ? 0 : -ENOMEM;

	if (!error)
		error = dispatch_maps_use(&explain->host, find_map, explain, &maps);
	if (!error)
		error = dispatch_open(&maps.storage, &dispatch);
	for (uint32_t i = 0; !error && i < explain->workflow_count; i++)
		error = dispatch_insert(dispatch, explain->workflows[i]->rules,
					explain->workflows[i]->rule_count, refusal);
	if (!error)
		error = dispatch_commit(dispatch, refusal);
	if (error == -EEXIST)
		report_refusal(explain, refusal, diags);
	else if (error)
		diag_fail(diags, DIAG_FAILED, NULL, "filling the trigger tables: %s",
			  strerror(-error));
	dispatch_close(dispatch);
	if (refusal)
		dispatch_maps_close(&maps);
	free(refusal);
	return error ? -1 : 0;
}
