// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int open_bundle(const struct options *options, const char *path, struct source *source,
		       struct diags *diags)
{
	snprintf(source->directory, sizeof(source->directory), "%s", path);
	if (options->set_count || options->directory_count)
		return diag_fail(diags, DIAG_USAGE, "give them to `ebpf-faas build`",
				 "--set and --funcs change a workflow before it is built; %s is "
				 "built",
				 path);
	return bundle_open(path, source->bundle, diags);
}

static int build(const struct options *options, const char *path, struct source *source,
		 struct diags *diags)
{
	if (build_scratch_make(&source->scratch, diags))
		return -1;
	snprintf(source->directory, sizeof(source->directory), "%s/bundle", source->scratch.path);
	if (mkdir(source->directory, 0700))
		return diag_fail(diags, DIAG_FAILED, NULL, "%s: %s", source->directory,
				 strerror(errno));
	return build_workflow(path, options, &source->scratch, source->directory, source->bundle,
			      diags);
}

int source_open(const struct options *options, const char *path, struct source *ret,
		struct diags *diags)
{
	struct stat info;

	*ret = (struct source){.bundle = calloc(1, sizeof(*ret->bundle))};
	if (!ret->bundle)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	if (stat(path, &info))
		return diag_fail(diags, DIAG_NOT_FOUND, NULL, "%s: %s", path, strerror(errno));
	return S_ISDIR(info.st_mode) ? open_bundle(options, path, ret, diags)
				     : build(options, path, ret, diags);
}

void source_close(struct source *source)
{
	build_scratch_remove(&source->scratch);
	free(source->bundle);
	*source = (struct source){0};
}
