// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach_root.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "fault.h"
#include "paths.h"

static const struct {
	const char *name, *file, *program;
	const char *slots;
	size_t slots_fd;
} hooks[ATTACH_HOOKS] = {
	[ATTACH_XDP] = {"xdp", "root.bpf.o", "root", FAAS_PIN_SLOTS,
			offsetof(struct host, slots_fd)},
	[ATTACH_TC_INGRESS] = {"tc-ingress", "root_tc.bpf.o", "root_tc", FAAS_PIN_TC_SLOTS,
			       offsetof(struct host, tc_slots_fd)},
	[ATTACH_TC_EGRESS] = {"tc-egress", "root_tc.bpf.o", "root_tc", FAAS_PIN_TC_SLOTS,
			      offsetof(struct host, tc_slots_fd)},
};

const char *attach_hook_name(enum attach_hook hook)
{
	return hooks[hook].name;
}

void root_path(const struct root *root, const char *pin, char *path, size_t bytes)
{
	snprintf(path, bytes, "%s/%llu/%u/%s%s%s", FAAS_PIN_ROOT,
		 (unsigned long long)root->interface.netns_inode, root->interface.index,
		 hooks[root->hook].name, pin ? "/" : "", pin ? pin : "");
}

int root_open_pin(const struct root *root, const char *pin)
{
	char path[FAAS_PATH_BYTES];
	int fd;

	root_path(root, pin, path, sizeof(path));
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* XDP and tcx links have their interface at the same place. */
uint32_t root_link_program(const struct root *root)
{
	struct bpf_link_info info = {0};
	uint32_t bytes = sizeof(info), program = 0;
	int fd = root_open_pin(root, FAAS_PIN_LINK);

	if (fd < 0)
		return 0;
	if (!bpf_obj_get_info_by_fd(fd, &info, &bytes) && info.xdp.ifindex == root->interface.index)
		program = info.prog_id;
	close(fd);
	return program;
}

uint32_t root_program(const struct root *root)
{
	return root->hook == ATTACH_XDP ? xdp_program(root) : tc_program(root);
}

/* ---- making ------------------------------------------------------------------- */

/* Let the root use the host's maps. */
static int use_shared_maps(const struct host *host, enum attach_hook hook,
			   struct bpf_object *object)
{
	const struct {
		const char *map;
		size_t fd;
	} shared[] = {{hooks[hook].slots, hooks[hook].slots_fd},
		      {FAAS_PIN_SLOT_COUNTERS, offsetof(struct host, slot_counters_fd)},
		      {FAAS_PIN_PACKET, offsetof(struct host, packet_fd)}};
	int error = 0;

	for (size_t i = 0; !error && i < sizeof(shared) / sizeof(shared[0]); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, shared[i].map);
		const int *fd = (const int *)(const void *)((const char *)host + shared[i].fd);

		error = map ? bpf_map__reuse_fd(map, *fd) : -ENOENT;
	}
	return error;
}

static int pin_all(const struct root *root, struct bpf_object *object, int program,
		   struct diags *diags)
{
	static const char *const own[] = {FAAS_PIN_PORTS,	 FAAS_PIN_RULES,
					  FAAS_PIN_CLASSES,	 FAAS_PIN_STAGES,
					  FAAS_PIN_ETHERTYPES,	 FAAS_PIN_SOURCES,
					  FAAS_PIN_DESTINATIONS, FAAS_PIN_ROOT_COUNTERS};
	char path[FAAS_PATH_BYTES];
	int error;

	root_path(root, NULL, path, sizeof(path));
	error = host_make_directory(path);
	for (size_t i = 0; !error && i < sizeof(own) / sizeof(own[0]); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, own[i]);

		root_path(root, own[i], path, sizeof(path));
		error = map ? bpf_map__pin(map, path) : -ENOENT;
	}
	if (!error) {
		root_path(root, FAAS_PIN_ROOT_PROGRAM, path, sizeof(path));
		error = bpf_obj_pin(program, path) ? -errno : 0;
	}
	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "pinning %s: %s", path,
				 strerror(-error));
	return 0;
}

/* Attaching is the last step: a root that is attached has everything. */
static int load_and_attach(const struct host *host, const struct root *root, enum bundle_hook hook,
			   struct bpf_object *object, struct diags *diags)
{
	struct bpf_program *program =
		bpf_object__find_program_by_name(object, hooks[root->hook].program);
	int error = use_shared_maps(host, root->hook, object);

	if (!error)
		error = bpf_object__load(object);
	if (error || !program)
		return diag_fail(diags, DIAG_PLATFORM, "Linux 6.1 or newer is needed",
				 "the kernel refused the root program: %s", strerror(-error));
	if (pin_all(root, object, bpf_program__fd(program), diags))
		return -1;
	fault_point("load.root_pinned");
	return root->hook == ATTACH_XDP ? xdp_attach(root, hook, bpf_program__fd(program), diags)
					: tc_attach(root, bpf_program__fd(program), diags);
}

int root_make(const struct host *host, const struct root *root, enum bundle_hook hook,
	      struct diags *diags)
{
	char path[FAAS_PATH_BYTES];
	struct bpf_object *object;
	int error;

	/* What stands there without a living program is of an interface that is
	 * gone, or of a command that was killed. */
	root_path(root, NULL, path, sizeof(path));
	host_remove_tree(path);
	snprintf(path, sizeof(path), "%s/%s", paths_libexec(), hooks[root->hook].file);
	object = bpf_object__open_file(path, NULL);
	if (!object)
		return diag_fail(diags, DIAG_FAILED, "is the installation complete?", "%s: %s",
				 path, strerror(errno));
	error = load_and_attach(host, root, hook, object, diags);
	bpf_object__close(object);
	if (error)
		root_remove(root);
	return error;
}

/* ---- taking off ---------------------------------------------------------------- */

void root_remove(const struct root *root)
{
	char path[FAAS_PATH_BYTES];
	int link = root_open_pin(root, FAAS_PIN_LINK);

	if (root->hook != ATTACH_XDP)
		tc_detach(root);
	/* With its last name a link goes some time later: a load that follows would take
	 * the program for somebody else's. */
	if (link >= 0) {
		bpf_link_detach(link);
		close(link);
	}
	fault_point("unload.root_unused");
	root_path(root, NULL, path, sizeof(path));
	host_remove_tree(path);
	*strrchr(path, '/') = '\0';
	rmdir(path); /* succeeds when nothing of the interface is left */
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

/* A number that is a whole name of a directory. */
static bool read_number(const char *name, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(name, &end, 10);
	return name[0] >= '0' && name[0] <= '9' && !*end && !errno;
}

static void each_hook(struct root *root, void (*each)(const struct root *root, void *context),
		      void *context)
{
	char path[FAAS_PATH_BYTES];

	for (enum attach_hook hook = 0; hook < ATTACH_HOOKS; hook++) {
		root->hook = hook;
		root_path(root, NULL, path, sizeof(path));
		if (!access(path, F_OK))
			each(root, context);
	}
}

/* A directory that is gone has nothing in it; one that cannot be opened may have. */
static int open_error(const DIR *directory)
{
	return directory || errno == ENOENT ? 0 : -errno;
}

static int each_interface(uint64_t inode, const char *path,
			  void (*each)(const struct root *root, void *context), void *context)
{
	DIR *directory = opendir(path);
	int error = open_error(directory);
	struct dirent *entry;
	uint64_t index;

	while (directory && (entry = readdir(directory)))
		if (read_number(entry->d_name, &index)) {
			struct root root = {
				.interface = {.netns_inode = inode, .index = (unsigned int)index}};

			each_hook(&root, each, context);
		}
	if (directory)
		closedir(directory);
	return error;
}

int root_each(void (*each)(const struct root *root, void *context), void *context)
{
	DIR *directory = opendir(FAAS_PIN_ROOT);
	int error = open_error(directory);
	struct dirent *entry;
	uint64_t inode;

	while (!error && directory && (entry = readdir(directory)))
		if (read_number(entry->d_name, &inode)) {
			char path[FAAS_PATH_BYTES];

			snprintf(path, sizeof(path), "%s/%s", FAAS_PIN_ROOT, entry->d_name);
			error = each_interface(inode, path, each, context);
		}
	if (directory)
		closedir(directory);
	return error;
}
