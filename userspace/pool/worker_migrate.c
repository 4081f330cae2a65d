// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "worker_migrate.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle_compare.h"
#include "clock.h"
#include "fault.h"
#include "userspace/log/disk_file.h"
#include "userspace/log/durable.h"
#include "userspace/pool/worker.h"
#include "userspace/pool/worker_sandbox.h"
#include "userspace/sink/text.h"
#include "userspace/state/state_lookup.h"

#define KEY_TEXT_BYTES 128

typedef int migrate_callback(uint32_t from_version, const void *from, uint32_t from_bytes,
			     void *to);

/* Of one function. */
struct tables {
	const struct bundle_function *before;
	struct state_table from, to;
};

struct migration {
	const struct bundle_function *before, *here;
	struct state_table from, to;
	migrate_callback *convert; /* NULL: states are copied */
	_Alignas(16)
		uint8_t value[FAAS_STATE_BYTES_MAX + 2 * sizeof(uint64_t)]; /* of the new table */
};

static int open_table(struct worker *worker, const struct bundle *bundle, uint32_t function, int fd,
		      int protection, struct state_table *ret)
{
	const struct bundle_function *description = &bundle->user[function];
	const struct state_shape shape = {
		.keys_max = description->state_keys,
		.key_bytes = state_key_bytes(bundle, function),
		.value_bytes = state_value_bytes(description),
		.value_version = description->state_version,
	};
	uint64_t seed = 0;
	struct stat status;
	void *mapping;
	int err;

	if (fstat(fd, &status) || getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return worker_fail(worker, WORKER_EXIT_SETUP, "state of %s: %s",
				   description->instance, strerror(errno));
	mapping = mmap(NULL, (size_t)status.st_size, protection, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (mapping == MAP_FAILED)
		return worker_fail(worker, WORKER_EXIT_SETUP, "state of %s: cannot map: %s",
				   description->instance, strerror(errno));
	/* Nothing is laid out in a table that is only read: its magic is there. */
	if (!(protection & PROT_WRITE) && !((const struct state_header *)mapping)->magic)
		err = -EINVAL;
	else
		err = state_open(ret, mapping, (uint64_t)status.st_size, &shape, seed);
	if (err)
		return worker_fail(
			worker, WORKER_EXIT_CORRUPT, "state of %s: %s", description->instance,
			err == -ESTALE ? "is not of the version before" : "does not check out");
	return 0;
}

/* As sinks write it. */
static const char *print_key(const struct bundle_function *function, const uint8_t *key,
			     char ret[KEY_TEXT_BYTES])
{
	struct text text = {.data = ret, .room = KEY_TEXT_BYTES - 1};

	for (uint32_t i = 0; i < function->key_count; i++) {
		uint32_t bytes = bundle_key_part_bytes(function->key[i]);

		if (i)
			text_put(&text, ",", 1);
		if (bytes == 16)
			text_address(&text, key);
		else
			text_unsigned(&text, bytes == 2 ? (uint64_t)key[0] << 8 | key[1] : key[0]);
		key += bytes;
	}
	ret[text.overrun ? 0 : text.used] = '\0';
	return ret;
}

static int move_key(struct worker *worker, struct migration *migration, struct state_slot *slot)
{
	const struct bundle_function *before = migration->before, *here = migration->here;
	const uint8_t *from = state_slot_value(&migration->from, slot);
	const uint8_t *key = state_slot_key(slot);
	char text[KEY_TEXT_BYTES];
	int err = 0;

	memset(migration->value, 0, migration->to.value_bytes);
	if (migration->convert)
		err = migration->convert(before->state_version, from, before->state_bytes,
					 migration->value);
	else
		memcpy(migration->value, from, before->state_bytes);
	if (err)
		return worker_fail(worker, WORKER_EXIT_LOAD,
				   "the state of %s is not migrated from version %u to %u: "
				   "faas_on_migrate returned %d for key %s",
				   here->instance, before->state_version, here->state_version, err,
				   print_key(here, key, text));
	/* Their timers go on. */
	if (before->has_timer && here->has_timer)
		memcpy(migration->value + migration->to.value_bytes - sizeof(uint64_t),
		       from + migration->from.value_bytes - sizeof(uint64_t), sizeof(uint64_t));
	err = state_put(&migration->to, key, slot->key_bytes, migration->value);
	if (err)
		return worker_fail(worker, WORKER_EXIT_LOAD, "the state of %s has %u keys, %s %u",
				   here->instance, migration->from.keys,
				   err == -ENOSPC ? "and there is room for" : "longer than",
				   err == -ENOSPC ? migration->to.keys_max
						  : migration->to.key_room);
	fault_point("migrate.key");
	return 0;
}

static int open_tables(struct worker *worker, const struct bundle *before, uint32_t function,
		       struct tables *ret)
{
	uint32_t from = bundle_user_of(before, worker->bundle->user[function].instance);
	int status;

	if (from == BUNDLE_NO_FUNCTION)
		return worker_fail(worker, WORKER_EXIT_SETUP, "no such function");
	status =
		open_table(worker, before, from, MIGRATE_FD_FROM((int)from), PROT_READ, &ret->from);
	ret->before = &before->user[from];
	if (!status)
		status = open_table(worker, worker->bundle, function, MIGRATE_FD_TO((int)function),
				    PROT_READ | PROT_WRITE, &ret->to);
	return status;
}

static int migrate(struct worker *worker, uint32_t function, const struct tables *tables)
{
	struct migration migration = {.before = tables->before,
				      .here = &worker->bundle->user[function],
				      .from = tables->from,
				      .to = tables->to};
	int status = 0;

	if (bundle_state_converted(migration.before, migration.here)) {
		*(void **)&migration.convert =
			dlsym(worker->functions[function].object, "faas_on_migrate");
		if (!migration.convert)
			return worker_fail(worker, WORKER_EXIT_LOAD, "%s has no faas_on_migrate",
					   migration.here->instance);
	}
	for (uint64_t i = 0; !status && i < migration.from.capacity; i++) {
		struct state_slot *slot = state_slot_at(&migration.from, i);

		if (slot->mark)
			status = move_key(worker, &migration, slot);
	}
	return status;
}

/* Map the table of a function of the version before as it is. */
static int map_image(struct worker *worker, const struct bundle *before, uint32_t function,
		     struct durable_image *ret)
{
	state_durable_shape(before, function, &ret->shape);
	if (!ret->shape.name[0])
		return 0;
	ret->mapping = mmap(NULL, ret->shape.image_bytes, PROT_READ, MAP_SHARED,
			    MIGRATE_FD_FROM((int)function), 0);
	if (ret->mapping == MAP_FAILED)
		return worker_fail(worker, WORKER_EXIT_SETUP, "state of %s: cannot map: %s",
				   before->user[function].instance, strerror(errno));
	return 0;
}

/* Put the tables of before on the disk, so that their version finds them there. */
static int write_before(struct worker *worker, const struct bundle *before,
			const struct worker_migration *what)
{
	struct durable_image images[FAAS_USER_FUNCTIONS_MAX] = {0};
	struct durable_kept kept = {.generation = what->generation};
	struct runtime_page page;
	struct disk_files files;
	int fds[DISK_FILES];
	int status = 0, err;

	memset(fds, 0xff, sizeof(fds));
	fds[DISK_BEFORE] = MIGRATE_FD_DISK;
	if (pread(MIGRATE_FD_RUNTIME_PAGE, &page, sizeof(page), 0) != (ssize_t)sizeof(page))
		return worker_fail(worker, WORKER_EXIT_SETUP, "runtime.page: cannot be read");
	for (uint32_t i = 0; i < worker->bundle->user_count; i++) {
		uint32_t from = bundle_user_of(before, worker->bundle->user[i].instance);

		if (what->kept >> i & 1 && from != BUNDLE_NO_FUNCTION)
			kept.as[from] = (uint8_t)(i + 1);
	}
	for (uint32_t i = 0; !status && i < before->user_count; i++)
		status = map_image(worker, before, i, &images[i]);
	if (status)
		return status;
	err = disk_files_open(&files, fds);
	if (!err)
		err = durable_before_write(&files.disk, images, page.log_id, page.generation, &kept,
					   clock_monotonic_ns());
	if (err)
		return worker_fail(worker, WORKER_EXIT_SETUP,
				   "the durable state of before cannot be kept on the disk: %s",
				   strerror(-err));
	fault_point("migrate.before_written");
	for (uint32_t i = 0; i < before->user_count; i++)
		if (images[i].mapping)
			(void)munmap(images[i].mapping, images[i].shape.image_bytes);
	return 0;
}

int worker_migrate(struct worker *worker, const struct bundle *before, const struct bundle *bundle,
		   const struct worker_migration *what)
{
	uint32_t mask = what->moved;
	struct tables tables[FAAS_USER_FUNCTIONS_MAX] = {0};
	struct sandbox sandbox = {0};
	struct worker_files files = {0};
	int status = 0;

	worker->bundle = bundle;
	worker->control_fd = MIGRATE_FD_CONTROL;
	if ((mask | what->kept) >> bundle->user_count)
		return worker_fail(worker, WORKER_EXIT_SETUP, "no such functions");
	for (uint32_t i = 0; i < bundle->user_count; i++) {
		worker->functions[i].number = (uint8_t)i;
		worker->functions[i].has_state = bundle->user[i].has_state;
		files.object[i] = MIGRATE_FD_OBJECT((int)i);
	}
	/* No code of an author has run yet. */
	if (bundle_is_durable(before))
		status = write_before(worker, before, what);
	(void)close(MIGRATE_FD_DISK);
	if (status || !mask)
		return status;
	for (uint32_t i = 0; !status && i < bundle->user_count; i++)
		if (mask >> i & 1)
			status = open_tables(worker, before, i, &tables[i]);
	if (!status)
		status = sandbox_close(&sandbox, worker, files.object, 0);
	if (!status)
		status = worker_load(worker, &files);
	if (!status)
		status = sandbox_tighten(&sandbox, worker);
	if (!status)
		status = worker_init(worker);
	for (uint32_t i = 0; !status && i < bundle->user_count; i++)
		if (tables[i].before)
			status = migrate(worker, i, &tables[i]);
	return status;
}
