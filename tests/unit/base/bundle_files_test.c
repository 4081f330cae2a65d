// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Bundles as directories: sealed, opened, and refused when anything differs. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "described.h"
#include "digest.h"

static const char workflow_text[] =
	"workflow: plant\n"
	"triggers: {a: {packet: {interfaces: e, match: {protocol: udp, port: 5}}, to: k}}\n"
	"functions:\n"
	"  k: {kernel: guard, params: {list: " TEST_SOURCE "/Makefile}, outputs: {listed: u}}\n"
	"  u: {user: tally, key: source_port}\n";

struct fixture {
	char directory[32];
	struct workflow workflow;
	struct bundle read;
	struct diags diags;
};

static void write_file(const struct fixture *fixture, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", fixture->directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static const char *path_of(const struct fixture *fixture, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", fixture->directory, name);
	return path;
}

/* A sealed bundle. */
static int set_up(void **state)
{
	const struct workflow_options options = {.functions = described_functions()};
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture)
		return -1;
	*state = fixture;
	strcpy(fixture->directory, "/tmp/bundle_test.XXXXXX");
	if (!mkdtemp(fixture->directory) || mkdir(path_of(fixture, "user"), 0755) ||
	    mkdir(path_of(fixture, "data"), 0755))
		return -1;
	write_file(fixture, "data/k.list", "10.0.0.1\n");
	write_file(fixture, "kernel.bpf.o", "abc");
	write_file(fixture, "user/u.so", "");
	if (workflow_parse(workflow_text, strlen(workflow_text), "w.yaml", &options,
			   &fixture->workflow, &fixture->diags))
		return -1;
	return bundle_seal(fixture->directory, &fixture->workflow.bundle, &fixture->diags);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", fixture->directory);
	assert_int_equal(system(command), 0);
	free(fixture);
	return 0;
}

static void test_open(void **state)
{
	struct fixture *fixture = *state;

	if (bundle_open(fixture->directory, &fixture->read, &fixture->diags))
		diags_print(&fixture->diags, stderr);
	assert_int_equal(fixture->diags.count, 0);
	assert_memory_equal(&fixture->read, &fixture->workflow.bundle, sizeof(fixture->read));
	assert_int_equal(fixture->read.file_count, 3);
	assert_string_equal(fixture->read.files[2].path, "data/k.list");
	/* FIPS 180-4 examples: "abc" and the empty message. */
	assert_string_equal(fixture->read.files[0].sha256,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_string_equal(fixture->read.files[1].sha256,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void assert_refused(struct fixture *fixture, const char *cause)
{
	const struct diag *diag = &fixture->diags.list[0];

	assert_int_equal(bundle_open(fixture->directory, &fixture->read, &fixture->diags), -1);
	if (!strstr(diag->cause, cause) || strncmp(diag->file, "/tmp/bundle_test.", 17)) {
		diags_print(&fixture->diags, stderr);
		fail_msg("not \"%s\"", cause);
	}
	/* Untouched. */
	assert_int_equal(fixture->read.trigger_count, 0);
}

static void test_changed(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "user/u.so", "x");
	assert_refused(fixture, "the file was changed");
}

static void test_data_changed(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "data/k.list", "10.0.0.2\n");
	assert_refused(fixture, "the file was changed");
}

static void test_data_missing(void **state)
{
	struct fixture *fixture = *state;

	unlink(path_of(fixture, "data/k.list"));
	assert_refused(fixture, "cannot be opened");
}

static void test_data_additional(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "data/more", "");
	assert_refused(fixture, "\"data/more\" that does not belong");
}

static void test_missing(void **state)
{
	struct fixture *fixture = *state;

	unlink(path_of(fixture, "kernel.bpf.o"));
	assert_refused(fixture, "cannot be opened");
}

static void test_additional(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "user/v.so", "");
	assert_refused(fixture, "\"user/v.so\" that does not belong");
}

static void test_additional_at_top(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(mkdir(path_of(fixture, "other"), 0755), 0);
	assert_refused(fixture, "\"other\" that does not belong");
}

static void test_symbolic_link(void **state)
{
	struct fixture *fixture = *state;

	unlink(path_of(fixture, "kernel.bpf.o"));
	assert_int_equal(symlink("manifest.json", path_of(fixture, "kernel.bpf.o")), 0);
	assert_refused(fixture, "symbolic link");
}

static void test_fifo(void **state)
{
	struct fixture *fixture = *state;

	unlink(path_of(fixture, "user/u.so"));
	assert_int_equal(mkfifo(path_of(fixture, "user/u.so"), 0644), 0);
	assert_refused(fixture, "not a regular file");
}

static void test_no_manifest(void **state)
{
	struct fixture *fixture = *state;

	unlink(path_of(fixture, "manifest.json"));
	assert_refused(fixture, "no readable manifest.json");
}

static void test_no_digest(void **state)
{
	struct fixture *fixture = *state;
	char *text;

	fixture->workflow.bundle.file_count = 1;
	text = bundle_print(&fixture->workflow.bundle);
	write_file(fixture, "manifest.json", text);
	free(text);
	assert_refused(fixture, "no digest");
}

static void test_no_directory(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(bundle_open("/tmp/bundle_test.none", &fixture->read, &fixture->diags), -1);
	assert_int_equal(fixture->diags.list[0].class, DIAG_NOT_FOUND);
}

/* Sealing what is incomplete or has too much fails, and leaves no manifest. */
static void test_seal(void **state)
{
	struct fixture *fixture = *state;
	struct bundle *bundle = &fixture->workflow.bundle;

	unlink(path_of(fixture, "manifest.json"));
	write_file(fixture, "stranger", "");
	assert_int_equal(bundle_seal(fixture->directory, bundle, &fixture->diags), -1);
	unlink(path_of(fixture, "stranger"));
	unlink(path_of(fixture, "user/u.so"));
	assert_int_equal(bundle_seal(fixture->directory, bundle, &fixture->diags), -1);
	assert_int_equal(access(path_of(fixture, "manifest.json"), F_OK), -1);
	assert_int_equal(access(path_of(fixture, "manifest.json.new"), F_OK), -1);
}

static void test_digest(void **state)
{
	struct fixture *fixture = *state;
	char digest[DIGEST_TEXT_BYTES], text[1001];
	int fd, err;

	/* A million times "a" (FIPS 180-2), and the offset stays where it was. */
	memset(text, 'a', 1000);
	text[1000] = '\0';
	fd = open(path_of(fixture, "a"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(write(fd, text, 1000), 1000);
	err = digest_fd(fd, digest);
	assert_int_equal(err, 0);
	assert_string_equal(digest,
			    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 1000000);
	close(fd);
	fd = open(fixture->directory, O_RDONLY | O_CLOEXEC);
	assert_true(digest_fd(fd, digest) < 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_open, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_changed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_data_changed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_data_missing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_data_additional, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_missing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_additional, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_additional_at_top, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_symbolic_link, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fifo, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_manifest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_digest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_directory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_seal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_digest, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
