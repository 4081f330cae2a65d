// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "interface.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/if_arp.h>
#include <linux/if_bonding.h>
#include <linux/if_link.h>

#include "netlink.h"
#include "phrase.h"

#define BOND_XMIT_POLICY_VLAN_SRCMAC 5 /* in headers of Linux 5.12 and newer */

/* ---- listing ----------------------------------------------------------------- */

static void read_kind(const struct rtattr *info, struct interface_link *link)
{
	const struct rtattr *parts[IFLA_INFO_MAX + 1], *data[IFLA_BOND_MAX + 1];

	netlink_attributes(RTA_DATA(info), RTA_PAYLOAD(info), parts, IFLA_INFO_MAX);
	netlink_text(parts[IFLA_INFO_KIND], link->kind, sizeof(link->kind));
	if (!parts[IFLA_INFO_DATA])
		return;
	netlink_attributes(RTA_DATA(parts[IFLA_INFO_DATA]), RTA_PAYLOAD(parts[IFLA_INFO_DATA]),
			   data, IFLA_BOND_MAX);
	if (!strcmp(link->kind, "vlan"))
		link->vlan = netlink_number(data[IFLA_VLAN_ID]);
	if (!strcmp(link->kind, "vxlan"))
		link->below = netlink_number(data[IFLA_VXLAN_LINK]);
	if (!strcmp(link->kind, "bond")) {
		link->bond_mode = netlink_number(data[IFLA_BOND_MODE]);
		link->bond_hash = netlink_number(data[IFLA_BOND_XMIT_HASH_POLICY]);
	}
}

struct reading {
	struct interface_list *list;
	uint32_t capacity;
	int error;
};

static void read_link(const struct nlmsghdr *message, void *context)
{
	const struct ifinfomsg *info = NLMSG_DATA(message);
	const struct rtattr *attributes[IFLA_MAX + 1];
	struct reading *reading = context;
	struct interface_link *link;

	if (message->nlmsg_type != RTM_NEWLINK || reading->error)
		return;
	if (reading->list->count == reading->capacity) {
		uint32_t capacity = reading->capacity ? reading->capacity * 2 : 16;
		struct interface_link *links =
			realloc(reading->list->links, capacity * sizeof(*links));

		if (!links) {
			reading->error = -ENOMEM;
			return;
		}
		reading->list->links = links;
		reading->capacity = capacity;
	}
	netlink_attributes(IFLA_RTA(info), IFLA_PAYLOAD(message), attributes, IFLA_MAX);
	link = &reading->list->links[reading->list->count++];
	*link = (struct interface_link){.index = (unsigned int)info->ifi_index,
					.hardware_type = info->ifi_type,
					.flags = info->ifi_flags,
					.mtu = netlink_number(attributes[IFLA_MTU]),
					.master = netlink_number(attributes[IFLA_MASTER])};
	netlink_text(attributes[IFLA_IFNAME], link->name, sizeof(link->name));
	if (attributes[IFLA_LINKINFO])
		read_kind(attributes[IFLA_LINKINFO], link);
	/* For a veth it is its other end; elsewhere it may be in another namespace. */
	if (strcmp(link->kind, "veth") && !attributes[IFLA_LINK_NETNSID] && attributes[IFLA_LINK])
		link->below = netlink_number(attributes[IFLA_LINK]);
}

int interface_list_read(struct interface_list *ret)
{
	const union netlink_request request = {.link = {.ifi_family = AF_UNSPEC}};
	struct interface_list list = {NULL, 0};
	struct reading reading = {.list = &list};
	int error = netlink_dump(RTM_GETLINK, &request, read_link, &reading);

	if (!error)
		error = reading.error;
	if (error)
		interface_list_free(&list);
	else
		*ret = list;
	return error;
}

void interface_list_free(struct interface_list *list)
{
	free(list->links);
	*list = (struct interface_list){NULL, 0};
}

const struct interface_link *interface_by_name(const struct interface_list *list, const char *name)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (!strcmp(list->links[i].name, name))
			return &list->links[i];
	return NULL;
}

const struct interface_link *interface_by_index(const struct interface_list *list,
						unsigned int index)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->links[i].index == index)
			return &list->links[i];
	return NULL;
}

void interface_list_text(const struct interface_list *list, char *ret, size_t bytes)
{
	ret[0] = '\0';
	for (uint32_t i = 0; i < list->count; i++)
		phrase_add(ret, bytes, "%s%s", i ? ", " : "", list->links[i].name);
}

/* ---- kinds --------------------------------------------------------------------- */

/* Kinds without native XDP, and what carries their packets. Hardware and the other
 * kinds are the driver's to say. */
static const struct {
	const char *kind, *words;
	enum { OWN, OVER_MEMBERS, OVER_BELOW } packets;
} kinds[] = {
	{"bridge", "a bridge", OVER_MEMBERS},
	{"team", "a team", OVER_MEMBERS},
	{"vlan", "a VLAN interface", OVER_BELOW},
	{"macvlan", "a macvlan interface", OVER_BELOW},
	{"macvtap", "a macvtap interface", OVER_BELOW},
	{"ipvlan", "an ipvlan interface", OVER_BELOW},
	{"ipvtap", "an ipvtap interface", OVER_BELOW},
	{"macsec", "a MACsec interface", OVER_BELOW},
	{"hsr", "an HSR interface", OVER_BELOW},
	{"dsa", "a switch port", OVER_BELOW},
	{"vxlan", "a VXLAN tunnel", OVER_BELOW},
	{"geneve", "a Geneve tunnel", OVER_BELOW},
	{"gretap", "a GRE tunnel", OVER_BELOW},
	{"ip6gretap", "a GRE tunnel", OVER_BELOW},
	{"erspan", "an ERSPAN tunnel", OVER_BELOW},
	{"batadv", "a mesh interface", OVER_MEMBERS},
	{"vrf", "a VRF", OVER_MEMBERS},
	{"dummy", "a dummy interface", OWN},
	{"ifb", "an ifb interface", OWN},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static size_t find_kind(const char *kind)
{
	size_t i = 0;

	while (i < KINDS && strcmp(kinds[i].kind, kind))
		i++;
	return i;
}

static bool is_loopback(const struct interface_link *link)
{
	return link->hardware_type == ARPHRD_LOOPBACK;
}

bool interface_is_pattern(const char *name)
{
	return !strcmp(name, BUNDLE_ANY_INTERFACE) || strpbrk(name, "*?[");
}

bool interface_is_meant(const struct interface_link *link, const char *pattern)
{
	size_t kind = find_kind(link->kind);

	if (!interface_is_pattern(pattern))
		return !strcmp(link->name, pattern);
	if (is_loopback(link))
		return false;
	if (strcmp(pattern, BUNDLE_ANY_INTERFACE))
		return !fnmatch(pattern, link->name, 0);
	if (!strcmp(link->kind, "bond"))
		return false; /* its members are */
	return link->hardware_type == ARPHRD_ETHER && (kind == KINDS || kinds[kind].packets == OWN);
}

/* The interfaces that carry the packets of @p link, or "". */
static void carriers(const struct interface_link *link, const struct interface_list *list,
		     char *ret, size_t bytes)
{
	const struct interface_link *below = interface_by_index(list, link->below);

	ret[0] = '\0';
	if (below && link->below && below != link) {
		phrase_add(ret, bytes, "%s", below->name);
		return;
	}
	for (uint32_t i = 0; i < list->count; i++)
		if (list->links[i].master == link->index)
			phrase_add(ret, bytes, "%s%s", ret[0] ? ", " : "", list->links[i].name);
}

/* Native XDP on a bond runs on its members; only some modes can do that. See
 * bond_xdp_check() in the kernel's drivers/net/bonding/bond_main.c. */
static bool bond_has_xdp(const struct interface_link *link)
{
	switch (link->bond_mode) {
	case BOND_MODE_ROUNDROBIN:
	case BOND_MODE_ACTIVEBACKUP:
		return true;
	case BOND_MODE_8023AD:
	case BOND_MODE_XOR:
		return link->bond_hash != BOND_XMIT_POLICY_VLAN_SRCMAC;
	default:
		return false;
	}
}

static int refuse_headers(const struct interface_link *link, const char *carried, char *ret_cause,
			  char *ret_advice)
{
	snprintf(ret_cause, INTERFACE_TEXT_BYTES,
		 "%s%s%s%s has packets without Ethernet headers, which triggers need", link->name,
		 link->kind[0] ? " (" : "", link->kind, link->kind[0] ? ")" : "");
	if (carried[0])
		snprintf(ret_advice, INTERFACE_TEXT_BYTES,
			 "use %s, which carries them; they are inside the tunnel's packets there",
			 carried);
	else
		snprintf(ret_advice, INTERFACE_TEXT_BYTES,
			 "use the Ethernet interface that they come in by before they are "
			 "unpacked, or leave by afterwards");
	return -1;
}

/* No native XDP: what else there is. */
static int refuse_native(const struct interface_link *link, const char *words, const char *carried,
			 char *ret_cause, char *ret_advice)
{
	snprintf(ret_cause, INTERFACE_TEXT_BYTES, "%s is %s, which has no native XDP", link->name,
		 words);
	ret_advice[0] = '\0';
	if (carried[0] && link->vlan)
		phrase_add(ret_advice, INTERFACE_TEXT_BYTES,
			   "use %s with `vlan: %u` in the match, or ", carried, link->vlan);
	else if (carried[0])
		phrase_add(ret_advice, INTERFACE_TEXT_BYTES, "use %s%s, or ", carried,
			   strchr(carried, ',') ? " (what it is made of)"
						: ", which it is built on");
	phrase_add(ret_advice, INTERFACE_TEXT_BYTES,
		   "write `hook: xdp-generic` or `hook: tc-ingress` for this one");
	return -1;
}

int interface_check_kind(const struct interface_link *link, const struct interface_list *list,
			 enum bundle_hook hook, char *ret_cause, char *ret_advice)
{
	size_t kind = find_kind(link->kind);
	char carried[256];

	carriers(link, list, carried, sizeof(carried));
	if (link->hardware_type != ARPHRD_ETHER && !is_loopback(link))
		return refuse_headers(link, carried, ret_cause, ret_advice);
	if (hook != HOOK_XDP)
		return 0;
	if (is_loopback(link))
		return refuse_native(link, "the loopback interface", "", ret_cause, ret_advice);
	if (!strcmp(link->kind, "bond") && !bond_has_xdp(link))
		return refuse_native(link, "a bond of a mode (or hash policy) that cannot do XDP",
				     carried, ret_cause, ret_advice);
	if (kind < KINDS)
		return refuse_native(link, kinds[kind].words, carried, ret_cause, ret_advice);
	return 0;
}
