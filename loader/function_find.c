// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where functions lie, and making objects of those that have none yet. */
#include "function.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle_names.h"
#include "paths.h"
#include "process.h"

#define COMPILER_OUTPUT_BYTES 65536

#if defined(__x86_64__)
#define MULTIARCH_INCLUDE "/usr/include/x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH_INCLUDE "/usr/include/aarch64-linux-gnu"
#endif

static const struct {
	const char *source;
	const char *object;
} suffixes[] = {
	[TIER_KERNEL] = {".bpf.c", ".bpf.o"},
	[TIER_USER] = {".user.c", ".so"},
};

/* Join; too long a path is one that does not exist. */
static bool __attribute__((format(printf, 2, 3)))
make_path(char ret[FAAS_PATH_BYTES], const char *format, ...)
{
	va_list arguments;
	int chars;

	va_start(arguments, format);
	chars = vsnprintf(ret, FAAS_PATH_BYTES, format, arguments);
	va_end(arguments);
	if (chars >= 0 && chars < FAAS_PATH_BYTES)
		return true;
	ret[0] = '\0';
	return false;
}

static bool is_file(const char *path, struct stat *ret)
{
	return path[0] && stat(path, ret) == 0 && S_ISREG(ret->st_mode);
}

static bool is_older(const struct stat *a, const struct stat *b)
{
	if (a->st_mtim.tv_sec != b->st_mtim.tv_sec)
		return a->st_mtim.tv_sec < b->st_mtim.tv_sec;
	return a->st_mtim.tv_nsec < b->st_mtim.tv_nsec;
}

/* "PATH:LINE:COLUMN: error: MESSAGE", as clang and gcc write it. Cuts up @p line. */
static bool take_error(char *line, struct diags *diags)
{
	static const char *const marks[] = {": error: ", ": fatal error: "};
	unsigned long row = 0, column = 0;
	char *message = NULL, *end, *colon;

	for (size_t i = 0; !message && i < sizeof(marks) / sizeof(marks[0]); i++) {
		message = strstr(line, marks[i]);
		if (message) {
			*message = '\0';
			message += strlen(marks[i]);
		}
	}
	if (!message)
		return false;
	/* From the right, because a path may hold colons. */
	colon = strrchr(line, ':');
	if (colon) {
		column = strtoul(colon + 1, &end, 10);
		if (*end || end == colon + 1)
			return false;
		*colon = '\0';
	}
	colon = strrchr(line, ':');
	if (colon) {
		row = strtoul(colon + 1, &end, 10);
		if (!*end && end != colon + 1)
			*colon = '\0';
		else
			row = 0;
	}
	if (!row) { /* PATH:LINE only */
		row = column;
		column = 0;
	}
	if (row > UINT_MAX || column > UINT_MAX)
		return false;
	diag_add(diags, DIAG_INVALID, line, (unsigned int)row, (unsigned int)column, NULL, "%s",
		 message);
	return true;
}

/* What the compiler says, as diagnostics. Cuts up @p output. */
static void take_errors(char *output, const char *source, int status, struct diags *diags)
{
	char *line, *rest = NULL, first[200] = "";
	bool found = false;

	for (line = strtok_r(output, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (!first[0])
			snprintf(first, sizeof(first), "%s", line);
		found |= take_error(line, diags);
	}
	if (!found)
		diag_add(diags, DIAG_INVALID, source, 0, 0, NULL,
			 "it does not compile (exit status %d)%s%s", status, first[0] ? ": " : "",
			 first);
}

static int run_compiler(const char *const argv[], const char *source, const char *package,
			struct diags *diags)
{
	char *output = calloc(1, COMPILER_OUTPUT_BYTES), advice[128];
	int status;

	if (!output) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		return -EINVAL;
	}
	status = process_run(argv, NULL, 0, output, COMPILER_OUTPUT_BYTES);
	if (status == -ENOENT) {
		snprintf(advice, sizeof(advice),
			 "install it (apt install %s), or load a bundle that was built elsewhere",
			 package);
		diag_add(diags, DIAG_PLATFORM, source, 0, 0, advice,
			 "compiling this function needs the program %s", argv[0]);
	} else if (status < 0) {
		diag_add(diags, DIAG_FAILED, source, 0, 0, NULL, "cannot run %s: %s", argv[0],
			 strerror(-status));
	} else if (status) {
		take_errors(output, source, status, diags);
	}
	free(output);
	return status ? -EINVAL : 0;
}

static int compile(enum function_tier tier, const char *source, const char *object,
		   struct diags *diags)
{
	const char *const kernel[] = {"clang",
				      "-g",
				      "-O2",
				      "-target",
				      "bpf",
				      "-mcpu=v3",
				      "-fembed-bitcode=all",
				      "-I",
				      paths_include(),
#ifdef MULTIARCH_INCLUDE
				      "-I",
				      MULTIARCH_INCLUDE,
#endif
				      "-Wall",
				      "-Wextra",
				      "-Wno-unused-parameter",
				      "-Wno-missing-declarations",
				      "-Werror=implicit-function-declaration",
				      "-fno-color-diagnostics",
				      "-c",
				      source,
				      "-o",
				      object,
				      NULL};
	const char *const user[] = {"cc",
				    "-D_GNU_SOURCE",
				    "-std=gnu11",
				    "-g",
				    "-O2",
				    "-fPIC",
				    "-shared",
				    "-fvisibility=default",
				    "-I",
				    paths_include(),
				    "-Wall",
				    "-Wextra",
				    "-Werror=implicit-function-declaration",
				    "-fdiagnostics-color=never",
				    "-o",
				    object,
				    source,
				    "-lm",
				    NULL};

	return tier == TIER_KERNEL ? run_compiler(kernel, source, "clang", diags)
				   : run_compiler(user, source, "gcc", diags);
}

/* The function as one directory has it. As function_find(). */
static int find_in(const struct function_library *library, const char *directory,
		   struct function *function, struct diags *diags)
{
	const char *name = function->name;
	enum function_tier tier = function->tier;
	char object[FAAS_PATH_BYTES];
	struct stat source_status, object_status;
	bool has_source, has_object;
	int err;

	make_path(function->source, "%s/%s/%s%s", directory, name, name, suffixes[tier].source);
	make_path(object, "%s/%s/%s%s", directory, name, name, suffixes[tier].object);
	has_source = is_file(function->source, &source_status);
	has_object = is_file(object, &object_status);
	if (!has_source && !has_object)
		return -ENOENT;
	if (!has_source)
		function->source[0] = '\0';
	if (!has_object || (has_source && is_older(&object_status, &source_status))) {
		if (!library->build_directory) {
			diag_add(diags, DIAG_FAILED, function->source, 0, 0, "compile it first",
				 "the object of this function is missing or out of date");
			return -EINVAL;
		}
		if (!make_path(object, "%s/%s%s", library->build_directory, name,
			       suffixes[tier].object)) {
			diag_fail(diags, DIAG_FAILED, NULL, "the path of %s is too long", name);
			return -EINVAL;
		}
		err = compile(tier, function->source, object, diags);
		if (err)
			return err;
	}
	return function_read_object(object, tier, function, diags) ? -EINVAL : 0;
}

int function_find(const struct function_library *library, enum function_tier tier, const char *name,
		  struct function *ret, struct diags *diags)
{
	struct function *function;
	int err = -ENOENT;

	/* It becomes part of paths. */
	if (!bundle_identifier_valid(name))
		return -ENOENT;
	function = calloc(1, sizeof(*function));
	if (!function) {
		diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
		return -EINVAL;
	}
	function->tier = tier;
	snprintf(function->name, sizeof(function->name), "%s", name);
	for (unsigned int i = 0; i < library->count && err == -ENOENT; i++)
		err = find_in(library, library->directories[i], function, diags);
	if (!err)
		*ret = *function;
	free(function);
	return err;
}

static int compare_names(const void *a, const void *b)
{
	const struct function_name *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	return order ? order : (int)left->tier - (int)right->tier;
}

static void list_directory(const char *directory, struct function_name *names, unsigned int *count)
{
	DIR *stream = opendir(directory);
	char path[FAAS_PATH_BYTES];
	struct dirent *entry;
	struct stat status;

	if (!stream)
		return;
	while ((entry = readdir(stream))) {
		const char *name = entry->d_name;

		if (!bundle_identifier_valid(name))
			continue;
		for (enum function_tier tier = TIER_KERNEL; tier <= TIER_USER; tier++) {
			bool there = false;

			make_path(path, "%s/%s/%s%s", directory, name, name, suffixes[tier].source);
			there |= is_file(path, &status);
			make_path(path, "%s/%s/%s%s", directory, name, name, suffixes[tier].object);
			there |= is_file(path, &status);
			if (!there || *count == FUNCTION_NAMES_MAX)
				continue;
			memcpy(names[*count].name, name, strlen(name) + 1);
			names[(*count)++].tier = tier;
		}
	}
	closedir(stream);
}

int function_list(const struct function_library *library, struct function_name **ret,
		  unsigned int *ret_count)
{
	struct function_name *names = calloc(FUNCTION_NAMES_MAX, sizeof(*names));
	unsigned int count = 0, kept = 0;

	if (!names)
		return -ENOMEM;
	for (unsigned int i = 0; i < library->count; i++)
		list_directory(library->directories[i], names, &count);
	qsort(names, count, sizeof(*names), compare_names);
	for (unsigned int i = 0; i < count; i++)
		if (!kept || compare_names(&names[i], &names[kept - 1]))
			names[kept++] = names[i];
	*ret = names;
	*ret_count = kept;
	return 0;
}
