// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The TC hooks. Where the kernel has tcx, a pinned link holds the program, before
 * all filters; elsewhere it is a filter of the clsact qdisc, found again by its
 * place and by the pinned program's id. What is not ours is never touched: a qdisc
 * that was there before stays, and so does ours while somebody else's filter is
 * on it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_sched.h>

#include "attach_root.h"
#include "netlink.h"

/* The place of our filter. Early, as who comes later may end the run. */
#define FILTER_PRIORITY 9
#define FILTER_HANDLE 0xfaa5

/* enum bpf_attach_type of Linux 6.6 and newer; headers may be older. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47

/* Beside the hooks of an interface: we made its qdisc. */
#define QDISC_MARK "qdisc"

/* For people who look with tools that do not know tcx: clsact by choice. */
#define CHOICE "EBPF_FAAS_TC"

/* libbpf tells on stderr what the kernel refused; here it is said in our words. */
static void quiet(void)
{
	libbpf_set_print(NULL);
}

static uint32_t id_of(int program)
{
	struct bpf_prog_info info = {0};
	uint32_t bytes = sizeof(info);

	return bpf_obj_get_info_by_fd(program, &info, &bytes) ? 0 : info.id;
}

/* libbpf's name of the place. */
static struct bpf_tc_hook hook_of(const struct root *root)
{
	return (struct bpf_tc_hook){
		.sz = sizeof(struct bpf_tc_hook),
		.ifindex = (int)root->interface.index,
		.attach_point = root->hook == ATTACH_TC_INGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS};
}

/* The program of the filter at our place; 0: none. */
static uint32_t filter_program(const struct root *root)
{
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	struct bpf_tc_hook hook = hook_of(root);

	quiet();
	return bpf_tc_query(&hook, &options) ? 0 : options.prog_id;
}

static uint32_t pinned_program(const struct root *root)
{
	int fd = root_open_pin(root, FAAS_PIN_ROOT_PROGRAM);
	uint32_t id = fd < 0 ? 0 : id_of(fd);

	if (fd >= 0)
		close(fd);
	return id;
}

uint32_t tc_program(const struct root *root)
{
	uint32_t program = root_link_program(root), pinned;

	if (program)
		return program;
	pinned = pinned_program(root);
	return pinned && filter_program(root) == pinned ? pinned : 0;
}

enum attach_mode tc_mode(const struct root *root)
{
	if (root_link_program(root))
		return ATTACH_TCX;
	return tc_program(root) ? ATTACH_CLSACT : ATTACH_GONE;
}

/* ---- the qdisc ------------------------------------------------------------------ */

static void mark_path(const struct root *root, char *path, size_t bytes)
{
	char directory[FAAS_PATH_BYTES - 16];

	root_path(root, NULL, directory, sizeof(directory));
	*strrchr(directory, '/') = '\0';
	snprintf(path, bytes, "%s/%s", directory, QDISC_MARK);
}

/* See that there is a clsact qdisc. The mark is made first: a killed command must
 * not leave a qdisc that nobody takes away. */
static int make_qdisc(const struct root *root)
{
	struct bpf_tc_hook hook = hook_of(root);
	char mark[FAAS_PATH_BYTES];
	bool marked;
	int error;

	mark_path(root, mark, sizeof(mark));
	marked = !mkdir(mark, 0700);
	if (!marked && errno != EEXIST)
		return -errno;
	error = bpf_tc_hook_create(&hook);
	if (error && marked)
		rmdir(mark);
	return error == -EEXIST ? 0 : error;
}

static void count_filter(const struct nlmsghdr *message, void *context)
{
	const struct tcmsg *filter = NLMSG_DATA(message);
	uint32_t *count = context;

	/* Each priority has a head without a handle. */
	if (message->nlmsg_type == RTM_NEWTFILTER && filter->tcm_handle)
		(*count)++;
}

/* Whether any filter is on the interface's clsact qdisc; true when unknown. */
static bool any_filter(unsigned int index)
{
	static const uint32_t parents[] = {TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
					   TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)};
	uint32_t count = 0;

	for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
		const union netlink_request request = {.traffic = {.tcm_family = AF_UNSPEC,
								   .tcm_ifindex = (int)index,
								   .tcm_parent = parents[i]}};

		if (netlink_dump(RTM_GETTFILTER, &request, count_filter, &count))
			return true;
	}
	return count > 0;
}

static void remove_qdisc(const struct root *root)
{
	struct bpf_tc_hook hook = hook_of(root);
	char mark[FAAS_PATH_BYTES];

	mark_path(root, mark, sizeof(mark));
	if (access(mark, F_OK) || any_filter(root->interface.index))
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	bpf_tc_hook_destroy(&hook);
	rmdir(mark);
}

/* ---- attaching ------------------------------------------------------------------- */

/* -EINVAL and the like: this kernel has no tcx. */
static int attach_link(const struct root *root, int program)
{
	char path[FAAS_PATH_BYTES];
	int link, error;

	link = bpf_link_create(program, (int)root->interface.index,
			       root->hook == ATTACH_TC_INGRESS ? TCX_INGRESS : TCX_EGRESS, NULL);
	if (link < 0)
		return -errno;
	root_path(root, FAAS_PIN_LINK, path, sizeof(path));
	error = bpf_obj_pin(link, path) ? -errno : 0;
	close(link);
	return error;
}

/* Whether the filter at our place is a root program that was left without pins. */
static bool is_left_over(const struct root *root)
{
	struct bpf_prog_info info = {0};
	uint32_t bytes = sizeof(info), program = filter_program(root);
	int fd = program ? bpf_prog_get_fd_by_id(program) : -1;
	bool ours;

	if (fd < 0)
		return false;
	ours = !bpf_obj_get_info_by_fd(fd, &info, &bytes) && !strcmp(info.name, "root_tc");
	close(fd);
	return ours;
}

static int attach_filter(const struct root *root, int program)
{
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY,
		    .prog_fd = program);
	struct bpf_tc_hook hook = hook_of(root);
	int error;

	quiet();
	error = make_qdisc(root);
	if (error)
		return error;
	if (is_left_over(root))
		options.flags = BPF_TC_F_REPLACE;
	error = bpf_tc_attach(&hook, &options);
	if (error)
		remove_qdisc(root);
	return error;
}

int tc_attach(const struct root *root, int program, struct diags *diags)
{
	const char *choice = getenv(CHOICE), *name = root->interface.name;
	int error;

	if (choice && strcmp(choice, "tcx") && strcmp(choice, "clsact"))
		return diag_fail(diags, DIAG_USAGE, "it may be `tcx` or `clsact`",
				 "the variable " CHOICE " is `%s`", choice);
	if (!(choice && !strcmp(choice, "clsact"))) {
		error = attach_link(root, program);
		if (!error)
			return 0;
		if (choice)
			return diag_fail(diags, DIAG_PLATFORM,
					 "Linux 6.6 or newer has tcx; `clsact` works everywhere",
					 "tcx on %s, as the variable " CHOICE " asks: %s", name,
					 strerror(-error));
	}
	error = attach_filter(root, program);
	if (!error)
		return 0;
	if (error == -EPERM)
		return diag_fail(diags, DIAG_PLATFORM, "run as root",
				 "attaching to %s is not permitted", name);
	if (error == -EEXIST)
		return diag_fail(diags, DIAG_FAILED,
				 "`tc filter show dev INTERFACE ingress` (or egress) shows it; it "
				 "is left alone",
				 "priority %d of the TC filters of %s is taken by somebody else",
				 FILTER_PRIORITY, name);
	return diag_fail(diags, DIAG_PLATFORM,
			 "the kernel needs CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF; an old "
			 "`ingress` qdisc has no egress: `tc qdisc show dev INTERFACE`",
			 "no TC program can be attached to %s: %s", name, strerror(-error));
}

/* ---- taking off -------------------------------------------------------------------- */

void tc_detach(const struct root *root)
{
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	struct bpf_tc_hook hook = hook_of(root);
	uint32_t pinned = pinned_program(root);
	char mark[FAAS_PATH_BYTES];
	struct netns netns;

	if (root_link_program(root))
		return;
	/* A namespace that nobody can enter any more took its interfaces with it. */
	if (netns_enter_inode(&netns, root->interface.netns_inode)) {
		mark_path(root, mark, sizeof(mark));
		rmdir(mark);
		return;
	}
	if (pinned && filter_program(root) == pinned)
		bpf_tc_detach(&hook, &options);
	remove_qdisc(root);
	netns_leave(&netns);
}
