// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "limits_text.h"

#include <stdio.h>

#include "pages.h"

const char *limits_text(uint32_t limits, char ret[LIMITS_TEXT_BYTES])
{
	static const struct {
		uint32_t limit;
		const char *name;
	} names[] = {
		{PAGE_LIMIT_SECCOMP, "seccomp"},       {PAGE_LIMIT_LANDLOCK, "landlock"},
		{PAGE_LIMIT_RLIMITS, "rlimits"},       {PAGE_LIMIT_CGROUP_MEMORY, "cgroup memory"},
		{PAGE_LIMIT_CGROUP_CPU, "cgroup cpu"},
	};
	size_t used = 0;

	(void)snprintf(ret, LIMITS_TEXT_BYTES, "nothing yet");
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (limits & names[i].limit)
			used += (size_t)snprintf(ret + used, LIMITS_TEXT_BYTES - used, "%s%s",
						 used ? ", " : "", names[i].name);
	return ret;
}
