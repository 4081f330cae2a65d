// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "limits_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "pages.h"

struct name {
	uint32_t limit;
	const char *name;
};

static const struct name limit_names[] = {
	{PAGE_LIMIT_SECCOMP, "seccomp"},       {PAGE_LIMIT_LANDLOCK, "landlock"},
	{PAGE_LIMIT_RLIMITS, "rlimits"},       {PAGE_LIMIT_CGROUP_MEMORY, "cgroup memory"},
	{PAGE_LIMIT_CGROUP_CPU, "cgroup cpu"},
};

static const struct name namespace_names[] = {
	{PAGE_LIMIT_USERS, "user"},  {PAGE_LIMIT_MOUNTS, "mount"}, {PAGE_LIMIT_PROCESSES, "pid"},
	{PAGE_LIMIT_NETWORK, "net"}, {PAGE_LIMIT_IPC, "ipc"},	   {PAGE_LIMIT_HOSTNAME, "uts"},
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static size_t add(char *text, size_t used, const char *between, const char *name)
{
	return used +
	       (size_t)snprintf(text + used, LIMITS_TEXT_BYTES - used, "%s%s", between, name);
}

const char *limits_text(uint32_t limits, char ret[LIMITS_TEXT_BYTES])
{
	bool first = true;
	size_t used = 0;

	(void)snprintf(ret, LIMITS_TEXT_BYTES, "nothing yet");
	for (unsigned int i = 0; i < COUNT(limit_names); i++)
		if (limits & limit_names[i].limit)
			used = add(ret, used, used ? ", " : "", limit_names[i].name);
	for (unsigned int i = 0; i < COUNT(namespace_names); i++) {
		if (!(limits & namespace_names[i].limit))
			continue;
		if (first)
			used = add(ret, used, used ? ", " : "", "namespaces");
		used = add(ret, used, " ", namespace_names[i].name);
		first = false;
	}
	return ret;
}
