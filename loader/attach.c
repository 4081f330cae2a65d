// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "paths.h"

#define SELF_NETNS "/proc/self/ns/net"
#define PORTS_BATCH 4096

/* ---- network namespaces --------------------------------------------------- */

int netns_enter_path(struct netns *netns, const char *path)
{
	struct stat info;
	int fd;

	*netns = (struct netns){.from_fd = -1};
	if (path[0]) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		netns->from_fd = open(SELF_NETNS, O_RDONLY | O_CLOEXEC);
		if (netns->from_fd < 0 || setns(fd, CLONE_NEWNET)) {
			int error = -errno;

			close(fd);
			if (netns->from_fd >= 0)
				close(netns->from_fd);
			netns->from_fd = -1;
			return error;
		}
		close(fd);
		snprintf(netns->path, sizeof(netns->path), "%s", path);
	}
	if (stat(SELF_NETNS, &info)) {
		int error = -errno;

		netns_leave(netns);
		return error;
	}
	netns->inode = info.st_ino;
	return 0;
}

int netns_enter(struct netns *netns, const char *name, struct diags *diags)
{
	char path[256] = "";
	int error;

	if (name && (!name[0] || strchr(name, '/') || strlen(name) > 128))
		return diag_fail(diags, DIAG_USAGE, "`ip netns list` shows the names",
				 "`%s` is not a name of a network namespace", name);
	if (name)
		snprintf(path, sizeof(path), "/run/netns/%s", name);
	error = netns_enter_path(netns, path);
	if (error)
		return diag_fail(
			diags, error == -ENOENT ? DIAG_NOT_FOUND : DIAG_PLATFORM,
			error == -ENOENT ? "`ip netns list` shows those there are" : "run as root",
			"network namespace %s: %s", name ? name : "(own)", strerror(-error));
	return 0;
}

void netns_leave(struct netns *netns)
{
	if (netns->from_fd < 0)
		return;
	/* Cannot fail: the descriptor is of a namespace this process was in. */
	if (setns(netns->from_fd, CLONE_NEWNET))
		abort();
	close(netns->from_fd);
	netns->from_fd = -1;
}

/* ---- interfaces ------------------------------------------------------------ */

int interface_find(const char *name, const struct netns *netns, struct interface *ret,
		   struct diags *diags)
{
	unsigned int index = if_nametoindex(name);

	if (!index)
		return diag_fail(
			diags, DIAG_NOT_FOUND,
			netns->path[0] ? "`ip -n NAMESPACE link` lists those of the namespace"
				       : "`ip link` lists those there are; --netns looks "
					 "into another network namespace",
			"no interface `%s`%s%s", name, netns->path[0] ? " in " : "", netns->path);
	*ret = (struct interface){.netns_inode = netns->inode, .index = index};
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	return 0;
}

static void interface_pin(const struct interface *interface, const char *pin, char *path,
			  size_t bytes)
{
	snprintf(path, bytes, "%s/%llu/%u%s%s", FAAS_PIN_ROOT,
		 (unsigned long long)interface->netns_inode, interface->index, pin ? "/" : "",
		 pin ? pin : "");
}

static int open_pin(const struct interface *interface, const char *pin)
{
	char path[FAAS_PATH_BYTES];

	interface_pin(interface, pin, path, sizeof(path));
	return bpf_obj_get(path);
}

/* The program that our pinned link holds there; 0 if the link is not there or
 * its interface went away (indexes are used again). */
static uint32_t root_program(const struct interface *interface)
{
	struct bpf_link_info info = {0};
	uint32_t bytes = sizeof(info), program = 0;
	int fd = open_pin(interface, FAAS_PIN_LINK);

	if (fd < 0)
		return 0;
	if (!bpf_obj_get_info_by_fd(fd, &info, &bytes) && info.xdp.ifindex == interface->index)
		program = info.prog_id;
	close(fd);
	return program;
}

enum attach_mode attach_query(const struct interface *interface)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	uint32_t program = root_program(interface);

	if (!program || bpf_xdp_query((int)interface->index, 0, &query))
		return ATTACH_GONE;
	if (query.drv_prog_id == program)
		return ATTACH_NATIVE;
	if (query.skb_prog_id == program)
		return ATTACH_GENERIC;
	if (query.hw_prog_id == program)
		return ATTACH_HARDWARE;
	return ATTACH_GONE;
}

const char *attach_mode_name(enum attach_mode mode)
{
	static const char *const names[] = {"gone", "native", "generic", "hardware"};

	return names[mode];
}

static int report_holder(const char *interface, uint32_t program, struct diags *diags)
{
	struct bpf_prog_info info = {0};
	uint32_t bytes = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(program);

	if (fd >= 0) {
		if (bpf_obj_get_info_by_fd(fd, &info, &bytes))
			info.name[0] = '\0';
		close(fd);
	}
	return diag_fail(diags, DIAG_FAILED,
			 "it is left alone; detach it with the tool that attached it "
			 "(`bpftool net show` names it), or choose another interface",
			 "interface %s is held by another XDP program: id %u, name %s", interface,
			 program, info.name[0] ? info.name : "(none)");
}

static const char *protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_UDP ? "udp" : "tcp";
}

static struct faas_trigger_ref *port_ref(struct faas_port_entry *entry, uint8_t protocol,
					 bool destination)
{
	if (protocol == IPPROTO_UDP)
		return destination ? &entry->udp_destination : &entry->udp_source;
	return destination ? &entry->tcp_destination : &entry->tcp_source;
}

/* Call @p each for every port of the trigger. Stops at the first that is not 0. */
static int each_port(const struct bundle_trigger *trigger,
		     int (*each)(uint16_t port, bool destination, void *context), void *context)
{
	const struct bundle_match *match = &trigger->match;
	int result = 0;

	for (uint32_t i = 0; !result && i < match->destination_range_count; i++)
		for (uint32_t port = match->destination_ranges[i].first;
		     !result && port <= match->destination_ranges[i].last; port++) {
			result = each((uint16_t)port, true, context);
			if (!result && match->either_port)
				result = each((uint16_t)port, false, context);
		}
	for (uint32_t i = 0; !result && i < match->source_range_count; i++)
		for (uint32_t port = match->source_ranges[i].first;
		     !result && port <= match->source_ranges[i].last; port++)
			result = each((uint16_t)port, false, context);
	return result;
}

/* The tables have a place for ports alone. */
static int check_trigger(const struct bundle_trigger *trigger, struct diags *diags)
{
	const struct bundle_match *match = &trigger->match;
	bool ports = match->destination_range_count || match->source_range_count;
	bool both = match->destination_range_count && match->source_range_count;

	if (trigger->hook != HOOK_XDP && trigger->hook != HOOK_XDP_GENERIC)
		return diag_fail(diags, DIAG_INVALID, "write `hook: xdp`",
				 "trigger %s: its hook is not supported by this version",
				 trigger->name);
	if (!ports || both || match->destination_count || match->source_count ||
	    match->ethertype_count || match->vlan_count)
		return diag_fail(diags, DIAG_INVALID, "match by a port in one direction",
				 "trigger %s: matching by other than ports is not supported by "
				 "this version",
				 trigger->name);
	return 0;
}

struct check {
	const struct host *host;
	const struct bundle_trigger *trigger;
	const struct interface *interface;
	struct diags *diags;
	int ports_fd;
};

static int check_port(uint16_t port, bool destination, void *context)
{
	const struct check *check = context;
	struct faas_port_entry entry;
	struct faas_trigger_ref *ref;
	uint32_t key = port;

	if (bpf_map_lookup_elem(check->ports_fd, &key, &entry))
		return diag_fail(check->diags, DIAG_FAILED, NULL,
				 "reading the trigger table of %s: %s", check->interface->name,
				 strerror(errno));
	ref = port_ref(&entry, check->trigger->match.ip_protocol, destination);
	if (!ref->slot)
		return 0;
	return diag_fail(check->diags, DIAG_FAILED,
			 "unload that workflow, or choose another port or interface",
			 "trigger %s: %s %s port %u on %s belongs to workflow %s",
			 check->trigger->name, protocol_name(check->trigger->match.ip_protocol),
			 destination ? "destination" : "source", port, check->interface->name,
			 ref->slot < FAAS_SLOTS_MAX ? check->host->registry[ref->slot].name : "?");
}

int attach_check(const struct host *host, const struct bundle_trigger *trigger,
		 const struct interface *interface, struct diags *diags)
{
	struct check check = {host, trigger, interface, diags, -1};
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	uint32_t ours = root_program(interface), holder;
	enum attach_mode mode;
	int result;

	if (check_trigger(trigger, diags))
		return -1;
	if (bpf_xdp_query((int)interface->index, 0, &query) == 0) {
		holder = query.drv_prog_id   ? query.drv_prog_id
			 : query.skb_prog_id ? query.skb_prog_id
					     : query.hw_prog_id;
		if (holder && holder != ours)
			return report_holder(interface->name, holder, diags);
	}
	if (!ours)
		return 0;
	mode = attach_query(interface);
	if (trigger->hook == HOOK_XDP && mode == ATTACH_GENERIC)
		return diag_fail(
			diags, DIAG_FAILED,
			"write `hook: xdp-generic`, or unload the other workflows of this "
			"interface",
			"interface %s is used in generic mode by a workflow that is loaded, "
			"trigger %s asks for native",
			interface->name, trigger->name);
	check.ports_fd = open_pin(interface, FAAS_PIN_PORTS);
	if (check.ports_fd < 0)
		return diag_fail(diags, DIAG_FAILED, NULL,
				 "the trigger table of %s is not pinned: %s", interface->name,
				 strerror(errno));
	result = each_port(trigger, check_port, &check);
	close(check.ports_fd);
	return result;
}

/* Say in words what the kernel meant when it refused the link. */
static int report_attach(int error, const struct interface *interface, enum bundle_hook hook,
			 struct diags *diags)
{
	if (error == EOPNOTSUPP || (error == EINVAL && hook == HOOK_XDP))
		return diag_fail(
			diags, DIAG_PLATFORM,
			"write `hook: xdp-generic` to run in the network stack instead "
			"(several times slower), or use an interface whose driver has native XDP",
			"the driver of %s has no native XDP, or not in its present "
			"configuration (LRO, number of queues): %s",
			interface->name, strerror(error));
	if (error == ERANGE || error == EMSGSIZE)
		return diag_fail(diags, DIAG_PLATFORM,
				 "lower the MTU (usually to 3498 or less) on both ends",
				 "the MTU of %s is larger than XDP on this driver can hold",
				 interface->name);
	if (error == EPERM)
		return diag_fail(diags, DIAG_PLATFORM, "run as root",
				 "attaching to %s is not permitted", interface->name);
	if (error == EBUSY)
		return diag_fail(diags, DIAG_FAILED, "`bpftool net show` names the program",
				 "interface %s was taken by another XDP program", interface->name);
	return diag_fail(diags, DIAG_FAILED, "`dmesg` may say more", "attaching to %s: %s",
			 interface->name, strerror(error));
}

/* Make the maps, program and link of one interface; pin what @p directory
 * lacks. The link is pinned last: with it everything is there. */
static int make_root(const struct host *host, const struct interface *interface,
		     enum bundle_hook hook, struct bpf_object *object, struct diags *diags)
{
	LIBBPF_OPTS(bpf_link_create_opts, options,
		    .flags = hook == HOOK_XDP ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	static const struct {
		const char *map;
		size_t fd;
	} shared[] = {{FAAS_PIN_SLOTS, offsetof(struct host, slots_fd)},
		      {FAAS_PIN_SLOT_COUNTERS, offsetof(struct host, slot_counters_fd)},
		      {FAAS_PIN_PACKET, offsetof(struct host, packet_fd)}};
	static const char *const own[] = {FAAS_PIN_PORTS,	 FAAS_PIN_RULES,
					  FAAS_PIN_CLASSES,	 FAAS_PIN_STAGES,
					  FAAS_PIN_ETHERTYPES,	 FAAS_PIN_SOURCES,
					  FAAS_PIN_DESTINATIONS, FAAS_PIN_ROOT_COUNTERS};
	struct bpf_program *program = bpf_object__find_program_by_name(object, "root");
	char path[FAAS_PATH_BYTES];
	int error = 0, link;

	for (size_t i = 0; !error && i < sizeof(shared) / sizeof(shared[0]); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, shared[i].map);
		const int *fd = (const int *)(const void *)((const char *)host + shared[i].fd);

		error = map ? bpf_map__reuse_fd(map, *fd) : -ENOENT;
	}
	if (!error)
		error = bpf_object__load(object);
	if (error || !program)
		return diag_fail(diags, DIAG_PLATFORM, "Linux 6.1 or newer is needed",
				 "the kernel refused the root program: %s", strerror(-error));
	link = bpf_link_create(bpf_program__fd(program), (int)interface->index, BPF_XDP, &options);
	if (link < 0)
		return report_attach(errno, interface, hook, diags);
	for (size_t i = 0; !error && i < sizeof(own) / sizeof(own[0]); i++) {
		interface_pin(interface, own[i], path, sizeof(path));
		error = bpf_map__pin(bpf_object__find_map_by_name(object, own[i]), path);
	}
	interface_pin(interface, FAAS_PIN_ROOT_PROGRAM, path, sizeof(path));
	if (!error && bpf_obj_pin(bpf_program__fd(program), path))
		error = -errno;
	interface_pin(interface, FAAS_PIN_LINK, path, sizeof(path));
	if (!error && bpf_obj_pin(link, path))
		error = -errno;
	close(link);
	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "pinning %s: %s", path,
				 strerror(-error));
	return 0;
}

int attach_root(const struct host *host, const struct interface *interface, enum bundle_hook hook,
		struct diags *diags)
{
	char path[FAAS_PATH_BYTES];
	struct bpf_object *object;
	int error;

	if (root_program(interface))
		return 0;
	/* What stands there without a living link is of an interface that is
	 * gone, or of a command that was killed. */
	interface_pin(interface, NULL, path, sizeof(path));
	host_remove_tree(path);
	error = host_make_directory(path);
	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "%s: %s", path, strerror(-error));
	snprintf(path, sizeof(path), "%s/root.bpf.o", paths_libexec());
	object = bpf_object__open_file(path, NULL);
	if (!object)
		return diag_fail(diags, DIAG_FAILED, "is the installation complete?", "%s: %s",
				 path, strerror(errno));
	error = make_root(host, interface, hook, object, diags);
	bpf_object__close(object);
	if (error) {
		interface_pin(interface, NULL, path, sizeof(path));
		host_remove_tree(path);
	}
	return error;
}

/* ---- trigger table ---------------------------------------------------------- */

struct put {
	const struct bundle_trigger *trigger;
	uint32_t slot;
	int ports_fd;
};

static int put_port(uint16_t port, bool destination, void *context)
{
	const struct put *put = context;
	struct faas_port_entry entry;
	struct faas_trigger_ref *ref;
	uint32_t key = port;

	if (bpf_map_lookup_elem(put->ports_fd, &key, &entry))
		return -errno;
	ref = port_ref(&entry, put->trigger->match.ip_protocol, destination);
	*ref = (struct faas_trigger_ref){(uint16_t)put->slot, (uint16_t)put->trigger->id};
	return bpf_map_update_elem(put->ports_fd, &key, &entry, BPF_EXIST) ? -errno : 0;
}

int attach_trigger(const struct bundle_trigger *trigger, const struct interface *interface,
		   uint32_t slot, struct diags *diags)
{
	struct put put = {trigger, slot, open_pin(interface, FAAS_PIN_PORTS)};
	int error = put.ports_fd < 0 ? -errno : each_port(trigger, put_port, &put);

	if (put.ports_fd >= 0)
		close(put.ports_fd);
	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "writing the trigger table of %s: %s",
				 interface->name, strerror(-error));
	return 0;
}

static bool clear_ref(struct faas_trigger_ref *ref, uint32_t slot)
{
	if (ref->slot != slot)
		return false;
	*ref = (struct faas_trigger_ref){0, 0};
	return true;
}

/* Clear the slot's entries in one table (none for slot 0). Returns whether any
 * entry of any workflow is left. */
static bool clear_table(int ports_fd, uint32_t slot)
{
	static struct faas_port_entry entries[PORTS_BATCH];
	static uint32_t keys[PORTS_BATCH];
	uint32_t cursor = 0, next;
	void *in = NULL;
	bool used = false;
	int error = 0;

	while (!error) {
		uint32_t count = PORTS_BATCH;

		error = bpf_map_lookup_batch(ports_fd, in, &next, keys, entries, &count, NULL);
		if (error && errno != ENOENT)
			return true; /* unknown: leave it */
		for (uint32_t i = 0; i < count; i++) {
			struct faas_port_entry *entry = &entries[i];
			bool changed = false;

			if (slot) {
				changed |= clear_ref(&entry->udp_destination, slot);
				changed |= clear_ref(&entry->udp_source, slot);
				changed |= clear_ref(&entry->tcp_destination, slot);
				changed |= clear_ref(&entry->tcp_source, slot);
			}
			if (changed)
				bpf_map_update_elem(ports_fd, &keys[i], entry, BPF_EXIST);
			used |= entry->udp_destination.slot || entry->udp_source.slot ||
				entry->tcp_destination.slot || entry->tcp_source.slot;
		}
		cursor = next;
		in = &cursor;
	}
	return used;
}

/* Call @p each with the directory of every interface that has one. */
static void each_interface(void (*each)(const char *directory, uint32_t slot), uint32_t slot)
{
	DIR *root = opendir(FAAS_PIN_ROOT);
	struct dirent *netns, *interface;

	while (root && (netns = readdir(root))) {
		char path[FAAS_PATH_BYTES];
		DIR *directory;

		if (netns->d_name[0] < '0' || netns->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "%s/%s", FAAS_PIN_ROOT, netns->d_name);
		directory = opendir(path);
		while (directory && (interface = readdir(directory))) {
			char inner[FAAS_PATH_BYTES + 256];

			if (interface->d_name[0] == '.')
				continue;
			snprintf(inner, sizeof(inner), "%s/%s", path, interface->d_name);
			each(inner, slot);
		}
		if (directory)
			closedir(directory);
		rmdir(path); /* succeeds when it is empty */
	}
	if (root)
		closedir(root);
}

static int open_table(const char *directory)
{
	char path[FAAS_PATH_BYTES + 512];

	snprintf(path, sizeof(path), "%s/%s", directory, FAAS_PIN_PORTS);
	return bpf_obj_get(path);
}

static void clear_one(const char *directory, uint32_t slot)
{
	int fd = open_table(directory);

	if (fd < 0)
		return;
	clear_table(fd, slot);
	close(fd);
}

static void remove_one_unused(const char *directory, uint32_t slot)
{
	int fd = open_table(directory);
	bool used = fd >= 0 && clear_table(fd, 0);

	(void)slot;
	if (fd >= 0)
		close(fd);
	if (!used)
		host_remove_tree(directory);
}

void attach_clear_slot(uint32_t slot)
{
	each_interface(clear_one, slot);
}

void attach_remove_unused(void)
{
	each_interface(remove_one_unused, 0);
}

int attach_counters(const struct interface *interface, struct faas_root_counters *ret)
{
	int cpus = libbpf_num_possible_cpus(), fd, error = 0;
	struct faas_root_counters *each, sum = {0};
	uint32_t zero = 0;

	if (cpus < 0)
		return cpus;
	fd = open_pin(interface, FAAS_PIN_ROOT_COUNTERS);
	if (fd < 0)
		return -errno;
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
