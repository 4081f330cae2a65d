// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach_holder.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include <ebpf_faas/pins.h>

#define SEARCH_DEPTH_MAX 6
#define SEARCH_ENTRIES_MAX 20000
#define SINCE_BYTES 64

struct holder {
	uint32_t program, link; /* ids; link 0: attached without one */
	char name[BPF_OBJ_NAME_LEN];
	char since[SINCE_BYTES];
	char program_pin[FAAS_PATH_BYTES], link_pin[FAAS_PATH_BYTES]; /* "": none */
	uint32_t looked_at;
};

/* The kernel gives the time since boot; people want the time of day. */
static void format_since(uint64_t load_time_ns, char ret[SINCE_BYTES])
{
	struct timespec now, boot;
	struct tm parts;
	time_t when;

	ret[0] = '\0';
	if (clock_gettime(CLOCK_REALTIME, &now) || clock_gettime(CLOCK_BOOTTIME, &boot))
		return;
	when = now.tv_sec - boot.tv_sec + (time_t)(load_time_ns / 1000000000u);
	if (gmtime_r(&when, &parts))
		strftime(ret, SINCE_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static void read_program(struct holder *holder)
{
	struct bpf_prog_info info = {0};
	uint32_t bytes = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(holder->program);

	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &bytes)) {
		snprintf(holder->name, sizeof(holder->name), "%s", info.name);
		format_since(info.load_time, holder->since);
	}
	close(fd);
}

static bool link_info(int fd, struct bpf_link_info *ret)
{
	uint32_t bytes = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return !bpf_obj_get_info_by_fd(fd, ret, &bytes);
}

/* The link that holds the program on the interface. */
static void find_link(struct holder *holder, unsigned int interface)
{
	uint32_t id = 0;

	while (!holder->link && !bpf_link_get_next_id(id, &id)) {
		struct bpf_link_info info;
		int fd = bpf_link_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (link_info(fd, &info) && info.type == BPF_LINK_TYPE_XDP &&
		    info.prog_id == holder->program && info.xdp.ifindex == interface)
			holder->link = id;
		close(fd);
	}
}

/* Whether a pinned object is the program or its link. Says which by what the
 * kernel calls the descriptor. */
static void look_at(struct holder *holder, const char *path)
{
	struct bpf_prog_info program = {0};
	struct bpf_link_info link;
	uint32_t bytes = sizeof(program);
	char self[64], kind[64];
	int fd = bpf_obj_get(path);
	ssize_t chars;

	if (fd < 0)
		return;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	chars = readlink(self, kind, sizeof(kind) - 1);
	kind[chars > 0 ? chars : 0] = '\0';
	if (strstr(kind, "bpf-prog")) {
		if (!bpf_obj_get_info_by_fd(fd, &program, &bytes) && program.id == holder->program)
			snprintf(holder->program_pin, sizeof(holder->program_pin), "%s", path);
	} else if (holder->link && strstr(kind, "link")) {
		if (link_info(fd, &link) && link.id == holder->link)
			snprintf(holder->link_pin, sizeof(holder->link_pin), "%s", path);
	}
	close(fd);
}

static void find_pins(struct holder *holder, const char *path, int depth)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)) &&
	       holder->looked_at++ < SEARCH_ENTRIES_MAX) {
		char inner[FAAS_PATH_BYTES];
		int chars = snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);

		if (entry->d_name[0] == '.' || chars >= (int)sizeof(inner))
			continue;
		if (entry->d_type == DT_DIR && depth < SEARCH_DEPTH_MAX)
			find_pins(holder, inner, depth + 1);
		else if (entry->d_type == DT_REG)
			look_at(holder, inner);
	}
	if (directory)
		closedir(directory);
}

int holder_report(const struct interface *interface, uint32_t id, struct diags *diags)
{
	struct holder holder = {.program = id};
	char link[96] = "attached without a link", pins[2 * FAAS_PATH_BYTES] = "not pinned";
	char advice[DIAG_TEXT_BYTES], off[64];

	read_program(&holder);
	find_link(&holder, interface->index);
	find_pins(&holder, FAAS_BPFFS, 0);
	if (holder.link)
		snprintf(link, sizeof(link), "held by link %u", holder.link);
	if (holder.program_pin[0] || holder.link_pin[0])
		snprintf(pins, sizeof(pins), "pinned at %s%s%s", holder.program_pin,
			 holder.program_pin[0] && holder.link_pin[0] ? " and " : "",
			 holder.link_pin);
	if (holder.link)
		snprintf(off, sizeof(off), "bpftool link detach id %u", holder.link);
	else
		snprintf(off, sizeof(off), "ip link set dev %s xdp off", interface->name);
	snprintf(advice, sizeof(advice),
		 "it is left alone; write `hook: tc-ingress` to run behind it, choose another "
		 "interface, or, if nobody needs it, `%s`",
		 off);
	return diag_fail(diags, DIAG_FAILED, advice,
			 "interface %s is held by another XDP program: id %u, name %s, loaded %s, "
			 "%s, %.512s",
			 interface->name, id, holder.name[0] ? holder.name : "(none)",
			 holder.since[0] ? holder.since : "(unknown)", link, pins);
}
