// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/pool/supervisor_renew.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int run_files_look(const char *root, const char *name, struct runtime_page *ret)
{
	char path[FAAS_PATH_BYTES];
	ssize_t bytes;
	int fd;

	snprintf(path, sizeof(path), "%s/%s/runtime.page", root, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	bytes = pread(fd, ret, sizeof(*ret), 0);
	close(fd);
	return bytes == (ssize_t)sizeof(*ret) && ret->magic == RUNTIME_PAGE_MAGIC ? 0 : -EINVAL;
}

int run_files_generation(const char *root, const char *name, uint32_t *ret, uint32_t *ret_before)
{
	struct runtime_page page = {0};
	int err = run_files_look(root, name, &page);

	if (err)
		return err;
	*ret = page.generation;
	*ret_before = page.migrated_from;
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

void run_files_adopt(struct run_files *files, uint32_t generation, const struct ring_identity *ring)
{
	struct runtime_page *page = files->runtime_page;

	/* A poison event is known by its place in the ring. */
	page->poison_position = 0;
	page->poison_deaths = 0;
	page->poison_condemned = 0;
	page->quarantined = 0;
	page->idle = 0;
	page->ring_boot_hash = ring->boot_hash;
	page->ring_map_id = ring->map_id;
	/* Back again, they were of this generation before its ring was. */
	if (page->generation != generation)
		page->foreign_sequence = 0;
	__atomic_store_n(&page->generation, generation, __ATOMIC_RELEASE);
}
