/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an interface is set to that matters to XDP, as ethtool(8) shows it, and what
 * follows in words. Reading and judging are apart, so that drivers that are not at
 * hand can be described.
 */
#ifndef FAAS_LOADER_PREFLIGHT_H
#define FAAS_LOADER_PREFLIGHT_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define PREFLIGHT_TEXT_BYTES 640

struct preflight_facts {
	char name[IF_NAMESIZE];
	char driver[32]; /* "" if it does not say */
	unsigned int mtu;
	bool lro;
	bool rx_vlan; /* takes VLAN tags off before a program sees the packet */
	/* Queue pairs: in use, and the most there may be; 0: it does not say. */
	unsigned int queues, queues_max;
	unsigned int cpus;
};

/* In the thread's namespace. What the driver does not tell stays zero. */
void preflight_read(const char *name, struct preflight_facts *ret);

/* Why the kernel refused XDP with @p error (positive), and what to do; texts of
 * PREFLIGHT_TEXT_BYTES. */
void preflight_explain(const struct preflight_facts *facts, int error, bool native, char *ret_cause,
		       char *ret_advice);

/* Whether VLAN tags are gone before XDP runs; then says so, in texts as above. */
bool preflight_hides_vlan(const struct preflight_facts *facts, char *ret_cause, char *ret_advice);

/* Whether attaching the first native XDP program stops and starts the rings, so
 * that the link may be down for a moment. */
bool preflight_resets(const struct preflight_facts *facts);

#endif
