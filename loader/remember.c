// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "remember.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "generation.h"
#include "netns.h"
#include "params.h"
#include "record.h"

#define REMEMBER_FORMAT 1
#define HOST_NETNS "/proc/1/ns/net"

static void remember_path(const char *workflow, const char *suffix, char *path, size_t bytes)
{
	snprintf(path, bytes, "%s/%s/restore.json%s", FAAS_STATE_WORKFLOWS, workflow, suffix);
}

/* Where it will be after a reboot. A command that was started in a namespace has no path
 * of it: by its inode a name is found, if it has one. NULL: nothing leads there. */
static const char *find_netns(const struct record *record, char *path, size_t bytes)
{
	uint64_t inode =
		record->attachment_count ? record->attachments[0].interface.netns_inode : 0;
	struct stat info;

	if (record->netns_path[0])
		return record->netns_path;
	if (!inode || (!stat(HOST_NETNS, &info) && info.st_ino == inode))
		return "";
	return netns_named(inode, path, bytes) ? NULL : path;
}

/* All of it, or nothing: it takes the place of what was there when it is on the disk. */
static int write_whole(const char *workflow, const char *text)
{
	char path[FAAS_PATH_BYTES], spare[FAAS_PATH_BYTES], directory[FAAS_PATH_BYTES];
	size_t bytes = strlen(text);
	int error = 0;
	int fd;

	remember_path(workflow, "", path, sizeof(path));
	remember_path(workflow, ".new", spare, sizeof(spare));
	snprintf(directory, sizeof(directory), "%s/%s", FAAS_STATE_WORKFLOWS, workflow);
	fd = open(spare, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	errno = ENOSPC; /* of a write that is cut short */
	if (write(fd, text, bytes) != (ssize_t)bytes || fsync(fd))
		error = -errno;
	close(fd);
	if (!error && rename(spare, path))
		error = -errno;
	if (error)
		unlink(spare);
	return error ? error : files_sync_directory(directory);
}

static int write_down(const struct faas_registry_entry *entry, const struct record *record,
		      const struct bundle *bundle)
{
	char path[sizeof(record->netns_path)];
	json_t *value =
		json_pack("{s:i, s:I, s:s?, s:b, s:o}", "format", REMEMBER_FORMAT, "generation",
			  (json_int_t)entry->generation, "netns",
			  find_netns(record, path, sizeof(path)), "bypassed",
			  !!(entry->flags & FAAS_REGISTRY_BYPASSED), "set", params_changed(bundle));
	char *text = value ? json_dumps(value, JSON_INDENT(1)) : NULL;
	int error = text ? write_whole(entry->name, text) : -ENOMEM;

	json_decref(value);
	free(text);
	return error;
}

int remember(const struct host *host, uint32_t slot, const struct bundle *bundle,
	     struct diags *diags)
{
	const struct faas_registry_entry *entry = &host->registry[slot];
	char path[FAAS_PATH_BYTES];
	struct record *record;
	int error = -ENOMEM;

	if (entry->flags & FAAS_REGISTRY_TRIAL)
		return 0;
	record = calloc(1, sizeof(*record));
	if (record)
		error = generation_record(entry->name, entry->generation, record);
	if (!error)
		error = write_down(entry, record, bundle);
	free(record);
	if (!error)
		return 0;
	remember_path(entry->name, "", path, sizeof(path));
	return diag_fail(diags, DIAG_FAILED, "is the disk full or read-only?", "%s: %s", path,
			 strerror(-error));
}

int remembered_read(const char *workflow, struct remembered *ret)
{
	struct remembered read = {.named = true};
	char path[FAAS_PATH_BYTES];
	json_int_t format, generation;
	json_t *root, *set, *place;
	const char *netns;
	int bypassed;

	remember_path(workflow, "", path, sizeof(path));
	if (access(path, R_OK))
		return -errno;
	root = json_load_file(path, 0, NULL);
	if (json_unpack(root, "{s:I, s:I, s:o, s:b, s:o}", "format", &format, "generation",
			&generation, "netns", &place, "bypassed", &bypassed, "set", &set) ||
	    format != REMEMBER_FORMAT || generation < 1 || generation >= UINT32_MAX ||
	    !json_is_array(set)) {
		json_decref(root);
		return -EINVAL;
	}
	netns = json_string_value(place);
	read.generation = (uint32_t)generation;
	read.named = netns && strlen(netns) < sizeof(read.netns_path);
	snprintf(read.netns_path, sizeof(read.netns_path), "%s", netns ? netns : "");
	read.bypassed = bypassed;
	read.set = json_incref(set);
	json_decref(root);
	*ret = read;
	return 0;
}

void remembered_free(struct remembered *remembered)
{
	json_decref(remembered->set);
	remembered->set = NULL;
}

bool remembered_exists(const char *workflow)
{
	char path[FAAS_PATH_BYTES];

	remember_path(workflow, "", path, sizeof(path));
	return !access(path, F_OK);
}

void remember_forget(const char *workflow)
{
	char path[FAAS_PATH_BYTES];

	remember_path(workflow, ".new", path, sizeof(path));
	unlink(path);
	remember_path(workflow, "", path, sizeof(path));
	unlink(path);
}
