// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The XDP hook: native or generic, held by a pinned link. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "attach_holder.h"
#include "attach_root.h"
#include "fault.h"
#include "preflight.h"

uint32_t xdp_program(const struct root *root)
{
	return root_link_program(root);
}

enum attach_mode xdp_mode(const struct root *root)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	uint32_t program = xdp_program(root);

	if (!program || bpf_xdp_query((int)root->interface.index, 0, &query))
		return ATTACH_GONE;
	if (query.drv_prog_id == program)
		return ATTACH_NATIVE;
	if (query.skb_prog_id == program)
		return ATTACH_GENERIC;
	return query.hw_prog_id == program ? ATTACH_HARDWARE : ATTACH_GONE;
}

int xdp_check(const struct root *root, struct diags *diags)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	uint32_t holder;

	if (bpf_xdp_query((int)root->interface.index, 0, &query))
		return 0;
	holder = query.drv_prog_id   ? query.drv_prog_id
		 : query.skb_prog_id ? query.skb_prog_id
				     : query.hw_prog_id;
	if (!holder || holder == xdp_program(root))
		return 0;
	return holder_report(&root->interface, holder, diags);
}

/* Say in words what the kernel meant when it refused the link. */
static int report(int error, const struct root *root, enum bundle_hook hook, struct diags *diags)
{
	char cause[PREFLIGHT_TEXT_BYTES], advice[PREFLIGHT_TEXT_BYTES];
	struct preflight_facts facts;

	if (error == EPERM)
		return diag_fail(diags, DIAG_PLATFORM, "run as root",
				 "attaching to %s is not permitted", root->interface.name);
	if (error == EBUSY || error == EEXIST)
		return diag_fail(diags, DIAG_FAILED, "`bpftool net show` names the program",
				 "interface %s was taken by another XDP program",
				 root->interface.name);
	preflight_read(root->interface.name, &facts);
	preflight_explain(&facts, error, hook == HOOK_XDP, cause, advice);
	return diag_fail(diags, DIAG_PLATFORM, advice, "%s", cause);
}

int xdp_attach(const struct root *root, enum bundle_hook hook, int program, struct diags *diags)
{
	LIBBPF_OPTS(bpf_link_create_opts, options,
		    .flags = hook == HOOK_XDP ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	char path[FAAS_PATH_BYTES];
	int link, error;

	link = bpf_link_create(program, (int)root->interface.index, BPF_XDP, &options);
	if (link < 0)
		return report(errno, root, hook, diags);
	fault_point("load.link_made");
	root_path(root, FAAS_PIN_LINK, path, sizeof(path));
	error = bpf_obj_pin(link, path) ? -errno : 0;
	close(link);
	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "pinning %s: %s", path,
				 strerror(-error));
	return 0;
}
