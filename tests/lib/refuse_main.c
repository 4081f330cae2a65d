// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A program that gets no new namespaces of some kinds, and so none that it starts: as on a
 * machine that refuses them, or in a unit with RestrictNamespaces=.
 *
 * refuse KIND[,KIND...] PROGRAM ARGUMENT...	KIND: user, mnt, pid, net, ipc, uts
 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	uint64_t flag;
} kinds[] = {{"user", CLONE_NEWUSER}, {"mnt", CLONE_NEWNS},  {"pid", CLONE_NEWPID},
	     {"net", CLONE_NEWNET},   {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Of what none is refused, nothing is. 0 or -errno. */
static int refuse(scmp_filter_ctx context, uint64_t flag)
{
	int err = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare), 1,
				   SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));

	if (!err)
		err = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				       SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
	return err;
}

static int refuse_all(char *list)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
	char *rest = NULL;
	/* Its flags are in memory, where a filter does not look. */
	int err = context ? seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0)
			  : -ENOMEM;

	for (char *word = strtok_r(list, ",", &rest); !err && word;
	     word = strtok_r(NULL, ",", &rest)) {
		size_t at = 0;

		while (at < KINDS && strcmp(kinds[at].name, word) != 0)
			at++;
		err = at < KINDS ? refuse(context, kinds[at].flag) : -EINVAL;
	}
	if (!err)
		err = seccomp_load(context);
	seccomp_release(context);
	return err;
}

int main(int count, char **texts)
{
	int err;

	if (count < 3) {
		(void)fprintf(stderr, "usage: refuse KIND[,KIND...] PROGRAM ARGUMENT...\n");
		return 2;
	}
	err = refuse_all(texts[1]);
	if (!err) {
		(void)execv(texts[2], texts + 2);
		err = -errno;
	}
	(void)fprintf(stderr, "refuse: %s\n", strerror(-err));
	return 1;
}
