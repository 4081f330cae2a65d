// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "paths.h"

#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ebpf_faas/limits.h>

struct paths {
	char libexec[FAAS_PATH_BYTES];
	char functions[FAAS_PATH_BYTES];
	char include[FAAS_PATH_BYTES];
	char driver[FAAS_PATH_BYTES];
};

static bool has_worker(const char *tree)
{
	char path[FAAS_PATH_BYTES + 64];

	snprintf(path, sizeof(path), "%s/libexec/ebpf-faas-worker", tree);
	return access(path, F_OK) == 0;
}

/* The build tree this program lies in, or false if it is installed. Programs
 * lie at its top, in libexec/ and, for tests, in directories further down. */
static bool find_build_tree(char *tree, size_t bytes)
{
	ssize_t length = readlink("/proc/self/exe", tree, bytes - 1);

	if (length < 0)
		return false;
	tree[length] = '\0';
	for (int up = 0; up < 8; up++) {
		char *slash = strrchr(tree, '/');

		if (!slash || slash == tree)
			return false;
		*slash = '\0';
		if (has_worker(tree))
			return true;
	}
	return false;
}

static const struct paths *find(void)
{
	static struct paths paths;
	char tree[FAAS_PATH_BYTES - 64];

	if (paths.libexec[0])
		return &paths;
	if (find_build_tree(tree, sizeof(tree))) {
		snprintf(paths.functions, sizeof(paths.functions), "%s/funcs", tree);
		snprintf(paths.include, sizeof(paths.include), "%s/include", tree);
		snprintf(paths.driver, sizeof(paths.driver), "%s/share/bpf", tree);
		snprintf(paths.libexec, sizeof(paths.libexec), "%s/libexec", tree);
	} else {
		snprintf(paths.functions, sizeof(paths.functions), "%s", FAAS_DATADIR "/funcs");
		snprintf(paths.include, sizeof(paths.include), "%s", FAAS_INCLUDEDIR);
		snprintf(paths.driver, sizeof(paths.driver), "%s", FAAS_DATADIR "/bpf");
		snprintf(paths.libexec, sizeof(paths.libexec), "%s", FAAS_LIBEXECDIR);
	}
	return &paths;
}

const char *paths_libexec(void)
{
	return find()->libexec;
}

const char *paths_functions(void)
{
	return find()->functions;
}

const char *paths_include(void)
{
	return find()->include;
}

const char *paths_driver(void)
{
	return find()->driver;
}
