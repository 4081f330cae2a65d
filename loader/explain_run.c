// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One packet: who took it, what was counted, and who came second. See explain.h. */
#include "explain_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "counters.h"
#include "dispatch_rules.h"

#define FRAME_BYTES_MIN 14 /* an Ethernet header: the kernel runs no program with less */
/* For TC it wants as much as it reads of IP itself. Shorter frames are padded with
 * zeros up to here, as Ethernet pads them on a wire. */
#define TC_BYTES_MIN 54

static void subtract(void *from, const void *what, size_t bytes)
{
	uint64_t *a = from;
	const uint64_t *b = what;

	for (size_t i = 0; i < bytes / 8; i++)
		a[i] -= b[i];
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
				note_match(list, &count, explain_match_of(explain, rule));
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

	if (!explain_is_xdp(explain->hook) && bytes < sizeof(padded)) {
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
	int error = explain_read_root_counters(
		explain, bpf_object__find_map_fd_by_name(root, FAAS_PIN_ROOT_COUNTERS), &now);

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
	int error = explain_read_meters(loaded, &now);

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
