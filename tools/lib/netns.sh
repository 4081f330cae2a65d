# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Network namespaces and veth pairs, and taking them away again.

# netns_make NAME: with its loopback up and without IPv6 router solicitation and
# duplicate detection, so that nothing but what a run sends is on its wires and
# addresses can be used at once. A socket that asks for no port gets none of those below
# 50000, which runs ask for: ports are keys.
netns_make() {
	ip netns add "$1"
	in_netns "$1" sh -c '
		echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
		echo 0 >/proc/sys/net/ipv6/conf/default/router_solicitations
		echo 1 >/proc/sys/net/ipv6/conf/default/addr_gen_mode
		echo 50000 60999 >/proc/sys/net/ipv4/ip_local_port_range' 2>/dev/null
	in_netns "$1" ip link set lo up
}

# netns_veth NAMESPACE INTERFACE PEER_NAMESPACE PEER_INTERFACE [MTU]
netns_veth() {
	ip link add "$2" netns "$1" mtu "${5:-1500}" type veth peer name "$4" netns "$3" mtu "${5:-1500}"
	in_netns "$1" ip link set "$2" up
	in_netns "$3" ip link set "$4" up
}

netns_delete() {
	local name
	for name; do
		[ ! -e "/run/netns/$name" ] || ip netns delete "$name"
	done
}
