/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Root programs: making one, finding it, taking it off. */
#ifndef FAAS_LOADER_ATTACH_ROOT_H
#define FAAS_LOADER_ATTACH_ROOT_H

#include "attach.h"

/* A place for a root program. */
struct root {
	struct interface interface; /* the name may be empty */
	enum attach_hook hook;
};

/* The path of a pin; of the directory with @p pin NULL. */
void root_path(const struct root *root, const char *pin, char *path, size_t bytes);

/* The descriptor of a pin, or -errno. */
int root_open_pin(const struct root *root, const char *pin);

/* The id of our program there; 0 if it is not there, or its interface is gone
 * (indexes are used again). Expects the interface's namespace. */
uint32_t root_program(const struct root *root);

/* Put a root program there. Expects root_program() to be 0. */
int root_make(const struct host *host, const struct root *root, enum bundle_hook hook,
	      struct diags *diags) __attribute__((warn_unused_result));

/* Take it off, with all that is pinned for it. From any namespace. */
void root_remove(const struct root *root);

/* Call @p each for every root that something is pinned of, in all namespaces. 0, or
 * -errno: not all of them could be looked at. */
int root_each(void (*each)(const struct root *root, void *context), void *context);

/* ---- what differs between hooks: attach_xdp.c, attach_tc.c ------------------------ */

/* Attach @p program and pin its link, if there is one. */
int xdp_attach(const struct root *root, enum bundle_hook hook, int program, struct diags *diags)
	__attribute__((warn_unused_result));
uint32_t xdp_program(const struct root *root);
enum attach_mode xdp_mode(const struct root *root);
/* Refuse an interface that another program holds. */
int xdp_check(const struct root *root, struct diags *diags) __attribute__((warn_unused_result));

int tc_attach(const struct root *root, int program, struct diags *diags)
	__attribute__((warn_unused_result));
uint32_t tc_program(const struct root *root);
enum attach_mode tc_mode(const struct root *root);
/* Take the filter off. Nothing to do where a link holds the program. */
void tc_detach(const struct root *root);

/* The program that a pinned link holds at its interface; 0: none. */
uint32_t root_link_program(const struct root *root);

#endif
