// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The programs in maps of their own, and what they counted. See explain.h. */
#include "explain.h"

#include <errno.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "counters.h"
#include "dispatch_maps.h"
#include "kernel_object.h"
#include "paths.h"

#define FRAME_BYTES_MIN 14 /* an Ethernet header: the kernel runs no program with less */
/* For TC it wants as much as it reads of IP itself. Shorter frames are padded with
 * zeros up to here, as Ethernet pads them on a wire. */
#define TC_BYTES_MIN 54
/* Holds no program: a root program of which every packet comes here describes it. */
#define DESCRIBING_SLOT (FAAS_SLOTS_MAX - 1)
#define EXPLAIN_GENERATION 1
#define ROOT_COUNTERS (sizeof(struct faas_root_counters) / sizeof(uint64_t))

struct loaded {
	struct bundle bundle;
	struct bpf_object *object;
	struct ring_buffer *ring; /* NULL: emits nothing */
	struct function *functions[FAAS_KERNEL_FUNCTIONS_MAX];
	struct explain_meters meters; /* until now */
	uint64_t matched;
	uint32_t slot;
	int meters_fd;
	struct faas_rule *rules;
	uint32_t rule_count;
	struct explain_outcome *outcome; /* that events go to at this moment */
};

struct explain {
	enum bundle_hook hook;
	const char *interface;
	struct host host; /* maps of our own, not those of this machine */
	struct bpf_object *host_object, *deciding, *describing;
	int deciding_fd, describing_fd; /* programs */
	struct loaded **workflows;	/* slot n is workflows[n - 1] */
	uint32_t workflow_count;
	int cpus;
	struct faas_root_counters decided, described; /* until now */
	uint64_t described_count;
};

static bool is_xdp(enum bundle_hook hook)
{
	return hook == HOOK_XDP || hook == HOOK_XDP_GENERIC;
}

bool explain_trigger_counts(const struct bundle_trigger *trigger, enum bundle_hook hook,
			    const char *interface)
{
	if (is_xdp(hook) ? !is_xdp(trigger->hook) : trigger->hook != hook)
		return false;
	for (uint32_t i = 0; interface && i < trigger->interface_count; i++)
		if (!strcmp(trigger->interfaces[i], "any") ||
		    !fnmatch(trigger->interfaces[i], interface, 0))
			return true;
	return !interface;
}

/* ---- counters ---------------------------------------------------------------- */

/* The sum over all CPUs of what a root program counted for packets it did not take. */
static int read_root_counters(const struct explain *explain, int fd, struct faas_root_counters *ret)
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

static int read_meters(const struct loaded *loaded, struct explain_meters *ret)
{
	memset(ret, 0, sizeof(*ret));
	return counters_meters(loaded->meters_fd, ret,
			       sizeof(ret->ledger) +
				       loaded->bundle.kernel_count * sizeof(ret->functions[0]));
}

static void subtract(void *from, const void *what, size_t bytes)
{
	uint64_t *a = from;
	const uint64_t *b = what;

	for (size_t i = 0; i < bytes / 8; i++)
		a[i] -= b[i];
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
	return is_xdp(explain->hook) ? FAAS_PIN_SLOTS : FAAS_PIN_TC_SLOTS;
}

static int load_root(struct explain *explain, struct bpf_object **ret, int *ret_fd,
		     struct diags *diags)
{
	const char *shared[] = {slots_name(explain), FAAS_PIN_SLOT_COUNTERS, FAAS_PIN_PACKET};
	struct bpf_program *program;
	int error = 0;

	if (open_object(is_xdp(explain->hook) ? "root.bpf.o" : "root_tc.bpf.o", ret, diags))
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

static struct explain_match match_of(const struct explain *explain, const struct faas_rule *rule)
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
	struct explain_match one = match_of(explain, &refusal->rule),
			     other = match_of(explain, &refusal->others[0]);
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

/* ---- which rules match ------------------------------------------------------- */

static bool in_prefix(const uint8_t address[16], const uint8_t network[16], uint32_t bits)
{
	uint32_t bytes = bits / 8;

	if (memcmp(address, network, bytes))
		return false;
	return !(bits % 8) || !((address[bytes] ^ network[bytes]) >> (8 - bits % 8));
}

/* As the root program compares, from what pins.h says. */
static bool rule_matches(const struct faas_rule *rule, const struct explain_outcome *outcome)
{
	const struct faas_packet *packet = &outcome->packet;
	bool ports = packet->ip_version &&
		     (packet->ip_protocol == IPPROTO_UDP || packet->ip_protocol == IPPROTO_TCP) &&
		     !(packet->flags & FAAS_EVENT_FRAGMENT);
	/* An IPv4 address is in a prefix of IPv4 only, and IPv6 in any that holds it. */
	uint32_t bits_min = packet->ip_version == 4 ? 96 : 0;

	if ((rule->named & FAAS_RULE_PROTOCOL) &&
	    (!packet->ip_version || packet->ip_protocol != rule->protocol))
		return false;
	if ((rule->named & FAAS_RULE_DESTINATION_PORT) &&
	    (!ports || packet->destination_port < rule->destination_port_first ||
	     packet->destination_port > rule->destination_port_last))
		return false;
	if ((rule->named & FAAS_RULE_SOURCE_PORT) &&
	    (!ports || packet->source_port < rule->source_port_first ||
	     packet->source_port > rule->source_port_last))
		return false;
	if ((rule->named & FAAS_RULE_DESTINATION) &&
	    (!packet->ip_version || rule->destination_bits < bits_min ||
	     !in_prefix(outcome->destination, rule->destination, rule->destination_bits)))
		return false;
	if ((rule->named & FAAS_RULE_SOURCE) &&
	    (!packet->ip_version || rule->source_bits < bits_min ||
	     !in_prefix(outcome->source, rule->source, rule->source_bits)))
		return false;
	if ((rule->named & FAAS_RULE_ICMP_TYPE) && outcome->icmp_type != rule->icmp_type)
		return false;
	if ((rule->named & FAAS_RULE_ETHERTYPE) && packet->ethertype != rule->ethertype)
		return false;
	return !(rule->named & FAAS_RULE_VLAN) || packet->vlan == rule->vlan;
}

/* Put a match where it belongs; only the best of one trigger counts. */
static void note_match(struct explain_match *list, uint32_t *count, struct explain_match match)
{
	uint32_t at = 0;

	while (at < *count && dispatch_rule_order(list[at].rule, match.rule) <= 0)
		if (list[at++].trigger == match.trigger)
			return;
	if (at == EXPLAIN_PASSED_OVER_MAX + 1)
		return;
	if (*count <= EXPLAIN_PASSED_OVER_MAX)
		(*count)++;
	memmove(&list[at + 1], &list[at], (*count - 1 - at) * sizeof(*list));
	list[at] = match;
	for (uint32_t i = at + 1; i < *count; i++)
		if (list[i].trigger == match.trigger) {
			(*count)--;
			memmove(&list[i], &list[i + 1], (*count - i) * sizeof(*list));
		}
}

static uint32_t find_matches(const struct explain *explain, const struct explain_outcome *outcome,
			     struct explain_match *list)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < explain->workflow_count; i++)
		for (uint32_t k = 0; k < explain->workflows[i]->rule_count; k++) {
			const struct faas_rule *rule = &explain->workflows[i]->rules[k];

			if (rule_matches(rule, outcome))
				note_match(list, &count, match_of(explain, rule));
		}
	return count;
}

/* ---- one packet -------------------------------------------------------------- */

static int test_run(const struct explain *explain, int program_fd, const uint8_t *frame,
		    uint32_t bytes, struct diags *diags)
{
	uint8_t padded[TC_BYTES_MIN] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = bytes,
		    .repeat = 1);

	if (!is_xdp(explain->hook) && bytes < sizeof(padded)) {
		memcpy(padded, frame, bytes);
		options.data_in = padded;
		options.data_size_in = sizeof(padded);
	}

	if (bpf_prog_test_run_opts(program_fd, &options))
		return diag_fail(diags, DIAG_FAILED, NULL,
				 "the kernel does not run a program with a frame of %u bytes: %s",
				 bytes, strerror(errno));
	return 0;
}

/* Which counter of the interface went up; NULL: none. */
static int find_reason(struct explain *explain, const struct bpf_object *root,
		       struct faas_root_counters *until_now, const char **ret, struct diags *diags)
{
	static const char *const names[] = {"unmatched",      "fragments", "not_ip",
					    "other_protocol", "malformed", "nonlinear"};
	struct faas_root_counters now, delta;
	int error = read_root_counters(explain, map_fd(root, FAAS_PIN_ROOT_COUNTERS), &now);

	_Static_assert(sizeof(now) == 8 * sizeof(names) / sizeof(names[0]), "a name for each");
	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "reading the counters: %s",
				 strerror(-error));
	delta = now;
	subtract(&delta, until_now, sizeof(delta));
	*until_now = now;
	*ret = NULL;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (((const uint64_t *)(const void *)&delta)[i])
			*ret = names[i];
	return 0;
}

static void take_address(const uint8_t *frame, uint32_t bytes, const struct faas_packet *packet,
			 uint32_t offset4, uint32_t offset6, uint8_t ret[16])
{
	bool ipv4 = packet->ip_version == 4;
	uint32_t at = packet->l3_offset + (ipv4 ? offset4 : offset6), size = ipv4 ? 4 : 16;

	memset(ret, 0, 16);
	if (!packet->ip_version || at + size > bytes)
		return;
	if (ipv4)
		ret[10] = ret[11] = 0xff;
	memcpy(ret + 16 - size, frame + at, size);
}

/* What the root program sees in it, whoever takes it. */
static int describe(struct explain *explain, const uint8_t *frame, uint32_t bytes,
		    struct explain_outcome *ret, struct diags *diags)
{
	struct faas_packet *packets = calloc((size_t)explain->cpus, sizeof(*packets));
	struct faas_packet *packet = &ret->packet;
	uint32_t zero = 0;
	int error = packets ? 0 : -1;

	if (!error)
		error = test_run(explain, explain->describing_fd, frame, bytes, diags);
	if (!error)
		error = find_reason(explain, explain->describing, &explain->described,
				    &ret->not_taken, diags);
	if (!error && !ret->not_taken) {
		if (bpf_map_lookup_elem(explain->host.packet_fd, &zero, packets))
			error = diag_fail(diags, DIAG_FAILED, NULL, "reading map packet: %s",
					  strerror(errno));
		else
			*packet = packets[sched_getcpu()];
		ret->described = !error;
	}
	free(packets);
	if (error || !ret->described)
		return error;
	take_address(frame, bytes, packet, 12, 8, ret->source);
	take_address(frame, bytes, packet, 16, 24, ret->destination);
	if (((packet->ip_version == 4 && packet->ip_protocol == IPPROTO_ICMP) ||
	     (packet->ip_version == 6 && packet->ip_protocol == IPPROTO_ICMPV6)) &&
	    !(packet->flags & FAAS_EVENT_FRAGMENT) && packet->l4_offset < bytes)
		ret->icmp_type = frame[packet->l4_offset];
	return 0;
}

/* The workflow whose count of matched packets went up. */
static int find_taker(struct explain *explain, struct loaded **ret, struct diags *diags)
{
	*ret = NULL;
	for (uint32_t i = 0; i < explain->workflow_count && !*ret; i++) {
		struct loaded *loaded = explain->workflows[i];
		struct faas_slot_counters counters;
		int error = counters_slot(explain->host.slot_counters_fd, loaded->slot, &counters);

		if (error)
			return diag_fail(diags, DIAG_FAILED, NULL, "reading the counters: %s",
					 strerror(-error));
		if (counters.matched != loaded->matched)
			*ret = loaded;
		loaded->matched = counters.matched;
	}
	return 0;
}

/* What the workflow counted and emitted. */
static int read_outcome(struct loaded *loaded, struct explain_outcome *ret, struct diags *diags)
{
	struct explain_meters now;
	int error = read_meters(loaded, &now);

	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "reading the counters of %s: %s",
				 loaded->bundle.name, strerror(-error));
	ret->counted = now;
	subtract(&ret->counted, &loaded->meters, sizeof(now));
	loaded->meters = now;
	loaded->outcome = ret;
	if (loaded->ring)
		error = ring_buffer__consume(loaded->ring);
	loaded->outcome = NULL;
	for (uint32_t i = 0; i < loaded->bundle.kernel_count; i++)
		ret->functions[i] = loaded->functions[i];
	return error < 0 ? diag_fail(diags, DIAG_FAILED, NULL, "reading the ring of %s: %s",
				     loaded->bundle.name, strerror(-error))
			 : 0;
}

/* The programs are the judges. That the written order names another trigger would
 * be a mistake of ours, and is not hidden. */
static int compare(const struct explain_match *matches, uint32_t count, const struct loaded *taker,
		   const struct faas_packet *packet, struct diags *diags)
{
	const struct explain_match *first = count ? &matches[0] : NULL;

	if (!taker && !first)
		return 0;
	if (taker && first && first->bundle == &taker->bundle &&
	    first->rule->leads_to.trigger == (packet->trigger & ~FAAS_PACKET_SAMPLED))
		return 0;
	return diag_fail(diags, DIAG_FAILED, "please report this, with the packet",
			 "%s took the packet, but by the written order it belongs to %s",
			 taker ? taker->bundle.name : "no workflow",
			 first ? first->bundle->name : "none");
}

int explain_run(struct explain *explain, const uint8_t *frame, uint32_t bytes,
		struct explain_outcome *ret, struct diags *diags)
{
	struct explain_match matches[EXPLAIN_PASSED_OVER_MAX + 2];
	struct faas_packet *packets;
	struct loaded *taker = NULL;
	uint32_t count, zero = 0;
	const char *reason = NULL;

	memset(ret, 0, sizeof(*ret));
	ret->icmp_type = -1;
	if (bytes < FRAME_BYTES_MIN) {
		ret->not_taken = "too_short";
		return 0;
	}
	if (describe(explain, frame, bytes, ret, diags))
		return -1;
	count = ret->described ? find_matches(explain, ret, matches) : 0;
	if (test_run(explain, explain->deciding_fd, frame, bytes, diags) ||
	    find_reason(explain, explain->deciding, &explain->decided, &reason, diags))
		return -1;
	ret->not_taken = reason;
	if (!reason && find_taker(explain, &taker, diags))
		return -1;
	packets = calloc((size_t)explain->cpus, sizeof(*packets));
	if (!packets || bpf_map_lookup_elem(explain->host.packet_fd, &zero, packets)) {
		free(packets);
		return diag_fail(diags, DIAG_FAILED, NULL, "reading map packet: %s",
				 strerror(errno));
	}
	if (ret->described)
		ret->packet = packets[sched_getcpu()];
	free(packets);
	if (compare(matches, count, taker, &ret->packet, diags))
		return -1;
	if (!taker)
		return 0;
	ret->taken = matches[0];
	ret->passed_over_count =
		count - 1 < EXPLAIN_PASSED_OVER_MAX ? count - 1 : EXPLAIN_PASSED_OVER_MAX;
	memcpy(ret->passed_over, matches + 1, ret->passed_over_count * sizeof(matches[0]));
	return read_outcome(taker, ret, diags);
}
