// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

static void record_path(const char *workflow, const char *suffix, char *path, size_t bytes)
{
	snprintf(path, bytes, "%s/%s/interfaces.json%s", FAAS_RUN_WORKFLOWS, workflow, suffix);
}

int record_write(const char *workflow, const struct record *record, struct diags *diags)
{
	char directory[FAAS_PATH_BYTES], path[FAAS_PATH_BYTES], temporary[FAAS_PATH_BYTES];
	json_t *list = json_array(), *root;
	int error;

	for (uint32_t i = 0; i < record->attachment_count; i++) {
		const struct attachment *attachment = &record->attachments[i];

		json_array_append_new(
			list, json_pack("{s:I, s:s, s:s, s:I, s:I}", "trigger",
					(json_int_t)attachment->trigger, "name",
					attachment->interface.name, "hook",
					attach_hook_name(attachment->hook), "index",
					(json_int_t)attachment->interface.index, "netns_inode",
					(json_int_t)attachment->interface.netns_inode));
	}
	root = json_pack("{s:s, s:I, s:o}", "netns", record->netns_path, "netns_cookie",
			 (json_int_t)record->netns_cookie, "interfaces", list);
	snprintf(directory, sizeof(directory), "%s/%s", FAAS_RUN_WORKFLOWS, workflow);
	error = host_make_directory(directory);
	record_path(workflow, "", path, sizeof(path));
	record_path(workflow, ".new", temporary, sizeof(temporary));
	if (!error && (!root || json_dump_file(root, temporary, JSON_INDENT(2))))
		error = errno ? -errno : -EIO;
	if (!error && rename(temporary, path))
		error = -errno;
	json_decref(root);
	if (error)
		return diag_fail(diags, DIAG_FAILED, "is /run full?", "writing %s: %s", path,
				 strerror(-error));
	return 0;
}

static int read_hook(const char *name, enum attach_hook *ret)
{
	for (enum attach_hook hook = 0; hook < ATTACH_HOOKS; hook++)
		if (!strcmp(attach_hook_name(hook), name)) {
			*ret = hook;
			return 0;
		}
	return -EINVAL;
}

int record_read(const char *workflow, struct record *ret)
{
	char path[FAAS_PATH_BYTES];
	json_t *root, *list, *item;
	const char *netns;
	json_int_t cookie = 0;
	size_t index;
	int error = 0;

	record_path(workflow, "", path, sizeof(path));
	if (access(path, R_OK))
		return -errno;
	root = json_load_file(path, 0, NULL);
	memset(ret, 0, sizeof(*ret));
	if (json_unpack(root, "{s:s, s?I, s:o}", "netns", &netns, "netns_cookie", &cookie,
			"interfaces", &list) ||
	    !json_is_array(list) || json_array_size(list) > RECORD_ATTACHMENTS_MAX) {
		json_decref(root);
		return -EINVAL;
	}
	snprintf(ret->netns_path, sizeof(ret->netns_path), "%s", netns);
	ret->netns_cookie = (uint64_t)cookie;
	json_array_foreach (list, index, item) {
		struct attachment *attachment = &ret->attachments[index];
		json_int_t trigger, number, inode;
		const char *name, *hook;

		if (json_unpack(item, "{s:I, s:s, s:s, s:I, s:I}", "trigger", &trigger, "name",
				&name, "hook", &hook, "index", &number, "netns_inode", &inode) ||
		    read_hook(hook, &attachment->hook)) {
			error = -EINVAL;
			break;
		}
		attachment->trigger = (uint32_t)trigger;
		attachment->interface.index = (unsigned int)number;
		attachment->interface.netns_inode = (uint64_t)inode;
		snprintf(attachment->interface.name, sizeof(attachment->interface.name), "%s",
			 name);
		ret->attachment_count++;
	}
	json_decref(root);
	return error;
}

int record_enter(const struct record *record, struct netns *netns)
{
	int error;

	if (record->netns_path[0] || !record->attachment_count)
		return netns_enter_path(netns, record->netns_path);
	error = netns_enter_inode(netns, record->attachments[0].interface.netns_inode);
	netns->path[0] = '\0'; /* its path is that of a process, which may end */
	return error;
}

bool record_is_of(const struct record *record, const struct netns *netns)
{
	return record->attachment_count &&
	       record->attachments[0].interface.netns_inode == netns->inode &&
	       (!record->netns_cookie || !netns->cookie || record->netns_cookie == netns->cookie);
}
