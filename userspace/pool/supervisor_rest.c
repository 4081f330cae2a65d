// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/supervisor_rest.h"

#include <errno.h>
#include <string.h>

#include "ringview.h"
#include "userspace/pool/supervisor_migrate.h"
#include "userspace/pool/supervisor_renew.h"
#include "userspace/ring/ring.h"

_Static_assert(PAGE_REST_NONE == FAAS_ORIGIN_TRIGGER, "no output has that number");

static bool same_key(const struct bundle_entry *a, const struct bundle_entry *b)
{
	return a->key_count == b->key_count && a->key_bytes == b->key_bytes &&
	       !memcmp(a->key, b->key, a->key_count * sizeof(a->key[0]));
}

static bool same_target(const struct bundle *from, const struct bundle_entry *a,
			const struct bundle *to, const struct bundle_entry *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == TARGET_SINK)
		return !strcmp(from->sinks[a->index].name, to->sinks[b->index].name);
	return !strcmp(from->user[a->index].instance, to->user[b->index].instance) &&
	       same_key(a, b);
}

static uint16_t find_entry(const struct bundle *from, const struct bundle_entry *entry,
			   const struct bundle *to)
{
	for (uint32_t i = 0; i < to->entry_count; i++)
		if (same_target(from, entry, to, &to->entries[i]))
			return (uint16_t)i;
	return PAGE_REST_NONE;
}

/* The outputs of kernel functions: no other makes what is in a ring. */
static void find_origins(const struct bundle_function *function, const struct bundle *to,
			 uint16_t *ret)
{
	for (uint32_t k = 0; k < to->kernel_count; k++) {
		const struct bundle_function *own = &to->kernel[k];

		if (strcmp(own->instance, function->instance))
			continue;
		for (uint32_t i = 0; i < function->output_count; i++)
			for (uint32_t o = 0; o < own->output_count; o++)
				if (!strcmp(own->outputs[o].name, function->outputs[i].name))
					ret[function->outputs[i].origin] =
						(uint16_t)own->outputs[o].origin;
	}
}

void rest_tables(const struct bundle *from, const struct bundle *to, struct page_rest *ret)
{
	memset(ret, 0xff, sizeof(*ret));
	for (uint32_t i = 0; i < from->entry_count; i++)
		ret->entries[i] = find_entry(from, &from->entries[i], to);
	for (uint32_t i = 0; i < from->kernel_count; i++)
		find_origins(&from->kernel[i], to, ret->origins);
	for (uint32_t i = 0; i < from->kernel_field_count; i++)
		for (uint32_t k = 0; k < to->kernel_field_count; k++) {
			const struct bundle_field *there = &from->kernel_fields[i].field;
			const struct bundle_field *here = &to->kernel_fields[k].field;

			if (!strcmp(there->name, here->name) && there->type == here->type)
				ret->fields[i] = (uint16_t)k;
		}
}

int rest_leave(const char *root, const char *name, int ring_fd)
{
	struct ring_identity identity;
	struct migrate_last last;
	struct ring ring;
	int err = ring_identity_of(ring_fd, &identity);

	if (!err)
		err = migrate_last(root, name, &last);
	if (err)
		return err;
	if (last.ring_map_id != identity.map_id || last.ring_boot_hash != identity.boot_hash ||
	    last.sequence < last.ring_first_sequence)
		return 0;
	err = ring_open(ring_fd, &ring);
	if (err)
		return err;
	if (!ring_seek(&ring, last.ring_position))
		ring_release(&ring);
	ring_close(&ring);
	return 0;
}

int rest_is_over(int ring_fd)
{
	struct ringview view;
	int err = ringview_open(ring_fd, &view), over;

	if (err)
		return err;
	over = __atomic_load_n(view.consumer, __ATOMIC_ACQUIRE) ==
	       __atomic_load_n(view.producer, __ATOMIC_ACQUIRE);
	ringview_close(&view);
	return over;
}
