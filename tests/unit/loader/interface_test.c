// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which interfaces a name means, and which of them a hook can be on: on interfaces
 * that are described, so that every kind is at hand. */
#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <linux/if_arp.h>
#include <linux/if_bonding.h>

#include "loader/interface.h"
#include "loader/preflight.h"

static struct interface_link links[] = {
	{.name = "lo", .index = 1, .hardware_type = ARPHRD_LOOPBACK},
	{.name = "eth0", .index = 2, .hardware_type = ARPHRD_ETHER},
	{.name = "eth1", .index = 3, .hardware_type = ARPHRD_ETHER, .master = 10},
	{.name = "eth2", .index = 4, .hardware_type = ARPHRD_ETHER, .master = 10},
	{.name = "eth3", .index = 5, .hardware_type = ARPHRD_ETHER, .master = 11},
	{.name = "veth0", .kind = "veth", .index = 6, .hardware_type = ARPHRD_ETHER},
	{.name = "br0", .kind = "bridge", .index = 10, .hardware_type = ARPHRD_ETHER},
	{.name = "bond0",
	 .kind = "bond",
	 .index = 11,
	 .hardware_type = ARPHRD_ETHER,
	 .bond_mode = BOND_MODE_ACTIVEBACKUP},
	{.name = "bond1",
	 .kind = "bond",
	 .index = 12,
	 .hardware_type = ARPHRD_ETHER,
	 .bond_mode = BOND_MODE_TLB},
	{.name = "bond2",
	 .kind = "bond",
	 .index = 13,
	 .hardware_type = ARPHRD_ETHER,
	 .bond_mode = BOND_MODE_8023AD,
	 .bond_hash = 5},
	{.name = "eth0.7",
	 .kind = "vlan",
	 .index = 14,
	 .hardware_type = ARPHRD_ETHER,
	 .below = 2,
	 .vlan = 7},
	{.name = "mac0", .kind = "macvlan", .index = 15, .hardware_type = ARPHRD_ETHER, .below = 2},
	{.name = "tun0", .kind = "tun", .index = 16, .hardware_type = ARPHRD_NONE},
	{.name = "tap0", .kind = "tun", .index = 17, .hardware_type = ARPHRD_ETHER},
	{.name = "gre1", .kind = "gre", .index = 18, .hardware_type = ARPHRD_IPGRE, .below = 2},
	{.name = "wg0", .kind = "wireguard", .index = 19, .hardware_type = ARPHRD_NONE},
	{.name = "vx0", .kind = "vxlan", .index = 20, .hardware_type = ARPHRD_ETHER, .below = 2},
	{.name = "dum0", .kind = "dummy", .index = 21, .hardware_type = ARPHRD_ETHER},
};
static const struct interface_list list = {links, sizeof(links) / sizeof(links[0])};

static void test_kinds(void **state)
{
	static const struct {
		const char *name;
		enum bundle_hook hook;
		const char *cause, *advice; /* NULL: it works */
	} cases[] = {
		{"eth0", HOOK_XDP, NULL, NULL},
		{"veth0", HOOK_XDP, NULL, NULL},
		{"tap0", HOOK_XDP, NULL, NULL},
		{"eth1", HOOK_XDP, NULL, NULL},
		{"lo", HOOK_XDP, "loopback", "hook: tc-ingress"},
		{"lo", HOOK_TC_INGRESS, NULL, NULL},
		{"br0", HOOK_XDP, "a bridge", "eth1, eth2"},
		{"br0", HOOK_XDP_GENERIC, NULL, NULL},
		{"br0", HOOK_TC_EGRESS, NULL, NULL},
		{"bond0", HOOK_XDP, NULL, NULL},
		{"bond1", HOOK_XDP, "mode", "hook: tc-ingress"},
		{"bond2", HOOK_XDP, "hash policy", "hook: tc-ingress"},
		{"eth0.7", HOOK_XDP, "a VLAN interface", "use eth0 with `vlan: 7`"},
		{"eth0.7", HOOK_TC_INGRESS, NULL, NULL},
		{"mac0", HOOK_XDP, "macvlan", "use eth0"},
		{"vx0", HOOK_XDP, "VXLAN", "use eth0"},
		{"dum0", HOOK_XDP, "dummy", "hook: xdp-generic"},
		{"tun0", HOOK_XDP, "without Ethernet headers", "Ethernet interface"},
		{"tun0", HOOK_TC_INGRESS, "without Ethernet headers", "Ethernet interface"},
		{"gre1", HOOK_XDP_GENERIC, "gre1 (gre)", "use eth0"},
		{"wg0", HOOK_TC_EGRESS, "wg0 (wireguard)", "Ethernet interface"},
	};
	char cause[INTERFACE_TEXT_BYTES], advice[INTERFACE_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct interface_link *link = interface_by_name(&list, cases[i].name);
		int result = interface_check_kind(link, &list, cases[i].hook, cause, advice);

		print_message("%s, hook %d\n", cases[i].name, cases[i].hook);
		assert_int_equal(result, cases[i].cause ? -1 : 0);
		if (result && (!strstr(cause, cases[i].cause) || !strstr(advice, cases[i].advice)))
			fail_msg("says: %s; %s", cause, advice);
	}
}

static void test_names(void **state)
{
	static const struct {
		const char *pattern, *means;
	} cases[] = {
		{"eth0", "eth0"},
		{"lo", "lo"},
		{"nothere", ""},
		{"any", "eth0 eth1 eth2 eth3 veth0 tap0 dum0"},
		{"eth?", "eth0 eth1 eth2 eth3"},
		{"eth*", "eth0 eth1 eth2 eth3 eth0.7"},
		{"eth[13]", "eth1 eth3"},
		{"b*", "br0 bond0 bond1 bond2"},
		{"*o", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char found[256] = "";

		for (uint32_t k = 0; k < list.count; k++)
			if (interface_is_meant(&list.links[k], cases[i].pattern))
				snprintf(found + strlen(found), sizeof(found) - strlen(found),
					 "%s%s", found[0] ? " " : "", list.links[k].name);
		assert_string_equal(found, cases[i].means);
	}
	assert_false(interface_is_pattern("eth0"));
	assert_true(interface_is_pattern("any"));
	assert_true(interface_is_pattern("eth[0]"));
}

/* What the kernel answers is listed as it is: the loopback interface at least. */
static void test_listing(void **state)
{
	struct interface_list real = {NULL, 0};
	const struct interface_link *lo;

	(void)state;
	assert_int_equal(interface_list_read(&real), 0);
	lo = interface_by_name(&real, "lo");
	assert_non_null(lo);
	assert_int_equal(lo->hardware_type, ARPHRD_LOOPBACK);
	assert_int_equal(lo->index, if_nametoindex("lo"));
	assert_true(lo->mtu >= 1500);
	assert_ptr_equal(interface_by_index(&real, lo->index), lo);
	interface_list_free(&real);
}

static void test_explanations(void **state)
{
	static const struct {
		struct preflight_facts facts;
		int error;
		bool native;
		const char *cause, *advice;
	} cases[] = {
		{{.name = "e", .mtu = 9000, .cpus = 2},
		 ERANGE,
		 true,
		 "MTU of e is 9000",
		 "mtu 3498"},
		{{.name = "e", .mtu = 9000, .cpus = 2},
		 EINVAL,
		 true,
		 "MTU of e is 9000",
		 "tc-ingress"},
		{{.name = "e", .mtu = 2000, .cpus = 2},
		 ERANGE,
		 true,
		 "MTU of e is 2000",
		 "mtu 1500"},
		{{.name = "e", .driver = "ixgbe", .mtu = 1500, .lro = true, .cpus = 2},
		 EINVAL,
		 true,
		 "LRO",
		 "ethtool -K e lro off"},
		{{.name = "e",
		  .driver = "ena",
		  .mtu = 1500,
		  .queues = 8,
		  .queues_max = 8,
		  .cpus = 8},
		 EINVAL,
		 true,
		 "too few queues",
		 "ethtool -L e combined 4"},
		{{.name = "e", .mtu = 1500, .queues = 1, .queues_max = 1, .cpus = 2},
		 ENOMEM,
		 true,
		 "1 of 1",
		 "combined 1"},
		{{.name = "e",
		  .driver = "r8169",
		  .mtu = 1500,
		  .queues = 2,
		  .queues_max = 8,
		  .cpus = 2},
		 EOPNOTSUPP,
		 true,
		 "driver of e (r8169) has no native XDP",
		 "xdp-generic"},
		{{.name = "e", .driver = "mvpp2", .mtu = 9000, .cpus = 2},
		 EOPNOTSUPP,
		 true,
		 "not with an MTU of 9000",
		 "mtu 1500"},
		{{.name = "e", .mtu = 1500, .cpus = 2},
		 EOPNOTSUPP,
		 false,
		 "Operation not supported",
		 "dmesg"},
		{{.name = "e", .mtu = 1500, .cpus = 2}, EIO, true, "Input/output error", "dmesg"},
	};
	char cause[PREFLIGHT_TEXT_BYTES], advice[PREFLIGHT_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		preflight_explain(&cases[i].facts, cases[i].error, cases[i].native, cause, advice);
		if (!strstr(cause, cases[i].cause) || !strstr(advice, cases[i].advice))
			fail_msg("case %zu says: %s; %s", i, cause, advice);
	}
}

static void test_vlan_and_resets(void **state)
{
	struct preflight_facts facts = {.name = "e", .driver = "igb"};
	char cause[PREFLIGHT_TEXT_BYTES], advice[PREFLIGHT_TEXT_BYTES];

	(void)state;
	assert_false(preflight_hides_vlan(&facts, cause, advice));
	assert_true(preflight_resets(&facts));
	facts.rx_vlan = true;
	assert_true(preflight_hides_vlan(&facts, cause, advice));
	assert_non_null(strstr(advice, "ethtool -K e rxvlan off"));
	snprintf(facts.driver, sizeof(facts.driver), "veth");
	assert_false(preflight_resets(&facts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),		cmocka_unit_test(test_names),
		cmocka_unit_test(test_listing),		cmocka_unit_test(test_explanations),
		cmocka_unit_test(test_vlan_and_resets),
	};

	return cmocka_run_group_tests_name("interface", tests, NULL, NULL);
}
