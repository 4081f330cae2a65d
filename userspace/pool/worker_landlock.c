// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "worker_landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* struct landlock_ruleset_attr as of version 6: headers may be older. */
struct ruleset {
	uint64_t files;
	uint64_t network; /* since version 4 */
	uint64_t scoped;  /* since version 6 */
};

/* Version of Landlock by which the lowest bits of `files` were known. */
static const unsigned char file_bits[] = {0, 13, 14, 15, 15, 16};

static int allow_reading(int ruleset)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
				  LANDLOCK_ACCESS_FS_READ_DIR,
		.parent_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC),
	};
	int err = 0;

	if (rule.parent_fd < 0 ||
	    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		err = -errno;
	if (rule.parent_fd >= 0)
		(void)close(rule.parent_fd);
	return err;
}

int landlock_version(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* Nothing is allowed but what is read or run below /, if @p reads. */
static int enter(bool reads)
{
	struct ruleset rules = {.network = 3, .scoped = 3};
	size_t bytes = sizeof(rules);
	int version, fd, err = 0;

	version = landlock_version();
	if (version <= 0)
		return version < 0 && errno != ENOSYS && errno != EOPNOTSUPP ? -errno : 0;
	if (version < 6)
		bytes = version < 4 ? offsetof(struct ruleset, network)
				    : offsetof(struct ruleset, scoped);
	rules.files = (1ull << file_bits[version < 5 ? version : 5]) - 1;
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, bytes, 0);
	if (fd < 0)
		return -errno;
	if (reads)
		err = allow_reading(fd);
	if (!err && syscall(SYS_landlock_restrict_self, fd, 0))
		err = -errno;
	(void)close(fd);
	return err ? err : version;
}

int landlock_close(void)
{
	return enter(false);
}

int landlock_read_only(void)
{
	return enter(true);
}
