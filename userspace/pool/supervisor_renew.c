// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/supervisor_renew.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle_compare.h"
#include "userspace/state/state.h"

int run_files_generation(const char *root, const char *name, uint32_t *ret)
{
	struct runtime_page page;
	char path[FAAS_PATH_BYTES];
	ssize_t bytes;
	int fd;

	snprintf(path, sizeof(path), "%s/%s/runtime.page", root, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	bytes = pread(fd, &page, sizeof(page), 0);
	close(fd);
	if (bytes != (ssize_t)sizeof(page) || page.magic != RUNTIME_PAGE_MAGIC)
		return -EINVAL;
	*ret = page.generation;
	return 0;
}

bool run_files_reset(const char *root, const char *name, uint32_t generation, const char *instance)
{
	char path[FAAS_PATH_BYTES], line[FAAS_NAME_BYTES + 2];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/generations/%u/resets", root, name, generation);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		found = !strcmp(line, instance);
	}
	if (file)
		fclose(file);
	return found;
}

/* An empty one, or none. */
static int make_anew(const char *root, const struct bundle *bundle, uint32_t function)
{
	uint64_t bytes = state_file_bytes(bundle, function);
	char path[FAAS_PATH_BYTES];
	int err, fd;

	snprintf(path, sizeof(path), "%s/%s/state.%u", root, bundle->name, function);
	if (unlink(path) && errno != ENOENT)
		return -errno;
	if (!bytes)
		return 0;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	err = -posix_fallocate(fd, 0, (off_t)bytes);
	close(fd);
	return err;
}

int run_files_renew(const char *root, const struct bundle *before, const struct bundle *to,
		    uint32_t generation, uint32_t *ret_resets, struct diags *diags)
{
	char difference[256];
	uint32_t resets = 0;
	int err;

	if (!bundle_same_user_tier(before, to, difference, sizeof(difference)))
		return diag_fail(diags, DIAG_FAILED, "unload the workflow, then load it",
				 "functions or sinks of %s are not those that its log is of: %s",
				 to->name, difference);
	for (uint32_t i = 0; i < to->user_count; i++) {
		enum bundle_state_fate fate = bundle_state_fate(&before->user[i], &to->user[i],
								difference, sizeof(difference));

		/* What is migrated has been by now. */
		if ((fate == STATE_KEPT || (fate == STATE_MIGRATED && !bundle_is_durable(to))) &&
		    !run_files_reset(root, to->name, generation, to->user[i].instance))
			continue;
		resets |= 1u << i;
		err = make_anew(root, to, i);
		if (err)
			return diag_fail(diags, DIAG_FAILED, "is /run full?", "the state of %s: %s",
					 to->user[i].instance, strerror(-err));
	}
	*ret_resets = resets;
	return 0;
}

void run_files_adopt(struct run_files *files, uint32_t generation, uint32_t resets,
		     const struct ring_identity *ring)
{
	struct runtime_page *page = files->runtime_page;

	/* A poison event is known by its place in the ring. */
	page->poison_position = 0;
	page->poison_deaths = 0;
	page->poison_condemned = 0;
	page->quarantined = 0;
	page->ring_boot_hash = ring->boot_hash;
	page->ring_map_id = ring->map_id;
	page->resets = resets;
	__atomic_store_n(&page->generation, generation, __ATOMIC_RELEASE);
}
