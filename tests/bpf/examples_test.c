// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The library's examples are not only prose: each function has one, it builds
 * into a bundle, and the verifier takes the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/libbpf.h>

static char directory[64]; /* of the bundle being tried; removed in any case */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

static int setup(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/ef_examples_XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void build(const char *workflow, const char *linker, const char *bundle)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		execl(TEST_BUILD "/ebpf-faas", "ebpf-faas", "build", "--linker", linker, "--output",
		      bundle, workflow, NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("%s does not build", workflow);
}

static void check_example(const char *folder, const char *linker)
{
	const char *name = strrchr(folder, '/') + 1;
	char workflow[512], bundle[512], object_path[600];
	struct bpf_object *object;

	snprintf(workflow, sizeof(workflow), "%s/example.yaml", folder);
	snprintf(bundle, sizeof(bundle), "%s/%s-%s", directory, name, linker);
	snprintf(object_path, sizeof(object_path), "%s/kernel.bpf.o", bundle);
	build(workflow, linker, bundle);
	object = bpf_object__open_file(object_path, NULL);
	if (!object)
		fail_msg("%s: %s", object_path, strerror(errno));
	if (bpf_object__load(object))
		fail_msg("the verifier refuses %s", workflow);
	bpf_object__close(object);
}

static void test_every_function_has_one(void **state)
{
	glob_t folders;
	unsigned int checked = 0;
	struct stat status;

	(void)state;
	assert_int_equal(glob(TEST_SOURCE "/funcs/*", GLOB_ONLYDIR, NULL, &folders), 0);
	for (size_t i = 0; i < folders.gl_pathc; i++) {
		if (stat(folders.gl_pathv[i], &status) || !S_ISDIR(status.st_mode))
			continue;
		check_example(folders.gl_pathv[i], "llvm");
		check_example(folders.gl_pathv[i], "bpf");
		checked++;
	}
	globfree(&folders);
	assert_true(checked >= 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_function_has_one, setup, teardown),
	};

	return cmocka_run_group_tests_name("examples", tests, NULL, NULL);
}
