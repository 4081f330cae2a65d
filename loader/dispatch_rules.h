/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules: what the match of a trigger becomes, how specific each is, which of two
 * goes first, and whether two contradict each other. The written order is in
 * <ebpf_faas/pins.h>. Nothing here knows tables or the kernel.
 *
 * A rule by itself has next and checks zero, as its place in a table decides both;
 * what its conditions do not name is zero as well, so that equal rules are equal
 * bytes.
 */
#ifndef FAAS_LOADER_DISPATCH_RULES_H
#define FAAS_LOADER_DISPATCH_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebpf_faas/pins.h>

#include "bundle.h"

#define DISPATCH_RULE_TEXT_BYTES 256

/* The table, and for ports which of the four refs, that a rule stands in. */
enum dispatch_place {
	PLACE_UDP_DESTINATION,
	PLACE_TCP_DESTINATION,
	PLACE_UDP_SOURCE,
	PLACE_TCP_SOURCE,
	PLACE_DESTINATIONS,
	PLACE_SOURCES,
	PLACE_CLASSES,
	PLACE_ETHERTYPES,
};

/**
 * @brief The rules of one trigger of the workflow in @p slot.
 *
 * @param ret  FAAS_TRIGGER_RULES_MAX entries.
 * @return 0; -E2BIG if the lists of the match have more combinations than that;
 * -EINVAL for ports without UDP or TCP, or ICMP types without ICMP.
 */
int dispatch_rules_expand(const struct bundle_trigger *trigger, uint32_t slot,
			  struct faas_rule *ret, uint32_t *ret_count)
	__attribute__((warn_unused_result));

/* Where it stands; its index there, for PLACE_CLASSES. */
enum dispatch_place dispatch_rule_place(const struct faas_rule *rule);
uint32_t dispatch_rule_class(const struct faas_rule *rule);

/* The conditions that standing at its place does not imply: faas_rule.checks. */
uint16_t dispatch_rule_checks(const struct faas_rule *rule);

/* Less than 0 if @p a is more specific. Priority is not looked at. */
int dispatch_rule_specificity(const struct faas_rule *a, const struct faas_rule *b);

/* The order in a chain: by specificity, priority, then anything that is not chance. */
int dispatch_rule_order(const struct faas_rule *a, const struct faas_rule *b);

/* Whether both may match one packet. */
bool dispatch_rules_overlap(const struct faas_rule *a, const struct faas_rule *b);

/* Whether nothing says which of two triggers takes a packet that both match. */
bool dispatch_rules_collide(const struct faas_rule *a, const struct faas_rule *b);

/* The conditions in words, as "udp destination port 5000-5010, vlan 7". */
void dispatch_rule_text(const struct faas_rule *rule, char *text, size_t bytes);

#endif
