// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "preflight.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

/* Without multi-buffer support a packet has to fit a page, beside 256 bytes of
 * headroom and about 320 of bookkeeping behind it. */
#define ONE_PAGE_MTU 3498
#define ETHERNET_MTU 1500

/* ---- facts ------------------------------------------------------------------- */

static int ask(int fd, const char *name, void *command)
{
	struct ifreq request = {.ifr_data = command};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return ioctl(fd, SIOCETHTOOL, &request);
}

static void read_mtu(int fd, struct preflight_facts *facts)
{
	struct ifreq request = {.ifr_mtu = 0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", facts->name);
	if (!ioctl(fd, SIOCGIFMTU, &request))
		facts->mtu = (unsigned int)request.ifr_mtu;
}

void preflight_read(const char *name, struct preflight_facts *ret)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int fd;

	memset(ret, 0, sizeof(*ret));
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	ret->cpus = cpus > 0 ? (unsigned int)cpus : 1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	read_mtu(fd, ret);
	if (!ask(fd, name, &driver))
		snprintf(ret->driver, sizeof(ret->driver), "%s", driver.driver);
	if (!ask(fd, name, &flags)) {
		ret->lro = flags.data & ETH_FLAG_LRO;
		ret->rx_vlan = flags.data & ETH_FLAG_RXVLAN;
	}
	if (!ask(fd, name, &channels)) {
		ret->queues = channels.combined_count ? channels.combined_count : channels.tx_count;
		ret->queues_max = channels.max_combined ? channels.max_combined : channels.max_tx;
	}
	close(fd);
}

/* ---- judgement ----------------------------------------------------------------- */

/* Drivers want transmit queues of their own for XDP: one for each CPU, or one for
 * each queue in use. */
static bool lacks_queues(const struct preflight_facts *facts)
{
	return facts->queues_max && (facts->queues * 2 > facts->queues_max ||
				     facts->queues + facts->cpus > facts->queues_max);
}

static void say_queues(const struct preflight_facts *facts, char *ret_cause, char *ret_advice)
{
	unsigned int half = facts->queues_max > 1 ? facts->queues_max / 2 : 1;

	snprintf(ret_cause, PREFLIGHT_TEXT_BYTES,
		 "the driver of %s (%s) has too few queues left for XDP: %u of %u are in use",
		 facts->name, facts->driver[0] ? facts->driver : "unknown", facts->queues,
		 facts->queues_max);
	snprintf(ret_advice, PREFLIGHT_TEXT_BYTES,
		 "`ethtool -L %s combined %u` leaves half of them to XDP", facts->name, half);
}

static void say_mtu(const struct preflight_facts *facts, char *ret_cause, char *ret_advice)
{
	snprintf(ret_cause, PREFLIGHT_TEXT_BYTES,
		 "the MTU of %s is %u, larger than XDP on this driver (%s) can hold", facts->name,
		 facts->mtu, facts->driver[0] ? facts->driver : "unknown");
	snprintf(ret_advice, PREFLIGHT_TEXT_BYTES,
		 "`ip link set dev %s mtu %d` (on both ends) usually fits; or write `hook: "
		 "tc-ingress`, which takes any MTU",
		 facts->name, facts->mtu > ONE_PAGE_MTU ? ONE_PAGE_MTU : ETHERNET_MTU);
}

void preflight_explain(const struct preflight_facts *facts, int error, bool native, char *ret_cause,
		       char *ret_advice)
{
	const char *driver = facts->driver[0] ? facts->driver : "unknown";

	if (error == ERANGE || error == EMSGSIZE ||
	    (native && error == EINVAL && facts->mtu > ONE_PAGE_MTU)) {
		say_mtu(facts, ret_cause, ret_advice);
	} else if (native && facts->lro && (error == EINVAL || error == EOPNOTSUPP)) {
		snprintf(ret_cause, PREFLIGHT_TEXT_BYTES,
			 "%s merges received packets (LRO), which XDP cannot work with (driver %s)",
			 facts->name, driver);
		snprintf(ret_advice, PREFLIGHT_TEXT_BYTES, "`ethtool -K %s lro off`", facts->name);
	} else if (native && lacks_queues(facts) &&
		   (error == EINVAL || error == ENOMEM || error == ENOSPC || error == EOPNOTSUPP)) {
		say_queues(facts, ret_cause, ret_advice);
	} else if (native && error == EOPNOTSUPP && facts->mtu > ETHERNET_MTU) {
		/* Several drivers say so to frames that are too long for them. */
		snprintf(ret_cause, PREFLIGHT_TEXT_BYTES,
			 "the driver of %s (%s) has no native XDP, or not with an MTU of %u",
			 facts->name, driver, facts->mtu);
		snprintf(ret_advice, PREFLIGHT_TEXT_BYTES,
			 "try `ip link set dev %s mtu %d` (on both ends), or write `hook: "
			 "tc-ingress`, which takes any MTU",
			 facts->name, ETHERNET_MTU);
	} else if (native && (error == EOPNOTSUPP || error == EINVAL)) {
		snprintf(ret_cause, PREFLIGHT_TEXT_BYTES,
			 "the driver of %s (%s) has no native XDP, or not in its present "
			 "configuration: %s",
			 facts->name, driver, strerror(error));
		snprintf(ret_advice, PREFLIGHT_TEXT_BYTES,
			 "write `hook: xdp-generic` or `hook: tc-ingress` to run in the network "
			 "stack instead (several times slower), or use an interface whose driver "
			 "has native XDP");
	} else {
		snprintf(ret_cause, PREFLIGHT_TEXT_BYTES, "attaching to %s (driver %s): %s",
			 facts->name, driver, strerror(error));
		snprintf(ret_advice, PREFLIGHT_TEXT_BYTES, "`dmesg` may say more");
	}
}

bool preflight_hides_vlan(const struct preflight_facts *facts, char *ret_cause, char *ret_advice)
{
	if (!facts->rx_vlan)
		return false;
	snprintf(ret_cause, PREFLIGHT_TEXT_BYTES,
		 "%s takes VLAN tags off before XDP sees the packets, so `vlan` would never match",
		 facts->name);
	snprintf(ret_advice, PREFLIGHT_TEXT_BYTES,
		 "`ethtool -K %s rxvlan off`, or write `hook: tc-ingress`, which sees the tags",
		 facts->name);
	return true;
}

/* Drivers that close and open the device, or rebuild its rings, when XDP comes or
 * goes while it is up; by what their ndo_bpf calls in Linux 6.1 to 6.12. */
static const struct {
	const char *driver, *source;
} resetting[] = {
	{"igb", "igb_xdp_setup: igb_close, igb_open"},
	{"igc", "igc_xdp_set_prog: igc_close, igc_open"},
	{"ixgbe", "ixgbe_xdp_setup: ixgbe_setup_tc"},
	{"i40e", "i40e_xdp_setup: i40e_prep_for_reset, i40e_reset_and_rebuild"},
	{"ice", "ice_xdp_setup_prog: ice_down, ice_up"},
	{"mlx4_en", "mlx4_xdp_set: mlx4_en_stop_port, mlx4_en_start_port"},
	{"mlx5_core", "mlx5e_xdp_set: mlx5e_safe_switch_params"},
	{"bnxt_en", "bnxt_xdp_set: bnxt_close_nic, bnxt_open_nic"},
	{"qede", "qede_xdp_set: qede_reload"},
	{"mvneta", "mvneta_xdp_setup: mvneta_stop, mvneta_open"},
	{"mvpp2", "mvpp2_xdp_setup: mvpp2_stop, mvpp2_open"},
	{"st_gmac", "stmmac_xdp_set_prog: stmmac_release, stmmac_open"},
};

bool preflight_resets(const struct preflight_facts *facts)
{
	for (size_t i = 0; i < sizeof(resetting) / sizeof(resetting[0]); i++)
		if (!strcmp(resetting[i].driver, facts->driver))
			return true;
	return false;
}
