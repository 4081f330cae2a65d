// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Bundles as directories: sealed, opened, and refused when anything differs. */
#include <dirent.h>
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
	unsigned int open_files; /* before the test */
};

static unsigned int count_open_files(void)
{
	DIR *stream = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(stream);
	while (readdir(stream))
		count++;
	closedir(stream);
	return count;
}

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
	fixture->open_files = count_open_files();
	return bundle_seal(fixture->directory, &fixture->workflow.bundle, &fixture->diags);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	char command[64];

	assert_int_equal(count_open_files(), fixture->open_files);
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

static void replace(struct fixture *fixture, const char *name)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s/%s", fixture->directory, name);
	assert_int_equal(system(command), 0);
}

static void manifest_is_link(struct fixture *fixture)
{
	replace(fixture, "manifest.json");
	assert_int_equal(symlink("kernel.bpf.o", path_of(fixture, "manifest.json")), 0);
}

static void manifest_is_fifo(struct fixture *fixture)
{
	replace(fixture, "manifest.json");
	assert_int_equal(mkfifo(path_of(fixture, "manifest.json"), 0644), 0);
}

static void manifest_is_directory(struct fixture *fixture)
{
	replace(fixture, "manifest.json");
	assert_int_equal(mkdir(path_of(fixture, "manifest.json"), 0755), 0);
}

static void object_is_directory(struct fixture *fixture)
{
	replace(fixture, "kernel.bpf.o");
	assert_int_equal(mkdir(path_of(fixture, "kernel.bpf.o"), 0755), 0);
}

static void user_is_link(struct fixture *fixture)
{
	replace(fixture, "user");
	assert_int_equal(symlink("data", path_of(fixture, "user")), 0);
}

static void user_is_file(struct fixture *fixture)
{
	replace(fixture, "user");
	write_file(fixture, "user", "");
}

static void data_is_gone(struct fixture *fixture)
{
	replace(fixture, "data");
}

static void print_manifest(struct fixture *fixture)
{
	char *text = bundle_print(&fixture->workflow.bundle);

	assert_non_null(text);
	write_file(fixture, "manifest.json", text);
	free(text);
}

static void last_digit_differs(struct fixture *fixture)
{
	fixture->workflow.bundle.files[0].sha256[63] ^= 1; /* d, and e or c */
	print_manifest(fixture);
}

static void digests_change_over(struct fixture *fixture)
{
	struct bundle_file *files = fixture->workflow.bundle.files, file = files[0];

	memcpy(files[0].sha256, files[2].sha256, sizeof(file.sha256));
	memcpy(files[2].sha256, file.sha256, sizeof(file.sha256));
	print_manifest(fixture);
}

static void pad_manifest(struct fixture *fixture, int64_t bytes)
{
	char *text = bundle_print(&fixture->workflow.bundle);
	size_t used = strlen(text);

	assert_true(used < (size_t)bytes);
	text = realloc(text, (size_t)bytes + 1);
	assert_non_null(text);
	memset(text + used, ' ', (size_t)bytes - used);
	text[bytes] = '\0';
	write_file(fixture, "manifest.json", text);
	free(text);
}

static void manifest_too_large(struct fixture *fixture)
{
	pad_manifest(fixture, FAAS_MANIFEST_BYTES_MAX + 1);
}

static const struct {
	void (*spoil)(struct fixture *fixture);
	const char *cause;
} spoilt[] = {
	{manifest_is_link, "no readable manifest.json"},
	{manifest_is_fifo, "cannot read it"},
	{manifest_is_directory, "cannot read it"},
	{object_is_directory, "not a regular file"},
	{user_is_link, "cannot list it"},
	{user_is_file, "cannot list it"},
	{data_is_gone, "cannot list it"},
	{last_digit_differs, "the file was changed"},
	{digests_change_over, "the file was changed"},
	{manifest_too_large, "1048576"},
};

static void test_spoilt(void **state)
{
	for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
		struct fixture *fixture;

		assert_int_equal(set_up(state), 0);
		fixture = *state;
		spoilt[i].spoil(fixture);
		assert_refused(fixture, spoilt[i].cause);
		(void)tear_down(state);
	}
}

/* As large as a manifest may be. */
static void test_largest_manifest(void **state)
{
	struct fixture *fixture = *state;

	pad_manifest(fixture, FAAS_MANIFEST_BYTES_MAX);
	assert_int_equal(bundle_open(fixture->directory, &fixture->read, &fixture->diags), 0);
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

static void assert_not_sealed(struct fixture *fixture, const char *directory, const char *cause)
{
	const struct bundle *bundle = &fixture->workflow.bundle;

	assert_int_equal(
		bundle_seal(directory, (struct bundle *)(uintptr_t)bundle, &fixture->diags), -1);
	if (!strstr(fixture->diags.list[0].cause, cause)) {
		diags_print(&fixture->diags, stderr);
		fail_msg("not \"%s\"", cause);
	}
	assert_int_equal(access(path_of(fixture, "manifest.json.new"), F_OK), -1);
	memset(&fixture->diags, 0, sizeof(fixture->diags));
}

/* What cannot get its name is not left under another. */
static void test_seal_fails(void **state)
{
	struct fixture *fixture = *state;

	assert_not_sealed(fixture, "/tmp/bundle_test.none", "cannot open the bundle");
	assert_not_sealed(fixture, path_of(fixture, "kernel.bpf.o"), "cannot open the bundle");
	manifest_is_directory(fixture);
	assert_not_sealed(fixture, fixture->directory, "cannot write it");
}

/* Directories for what the bundle has not are none of it. */
static void test_seal_without(void **state)
{
	struct fixture *fixture = *state;
	struct bundle *bundle = &fixture->workflow.bundle;

	bundle->user_count = 0;
	assert_not_sealed(fixture, fixture->directory, "\"user\" that does not belong");
	bundle->user_count = 1;
	for (uint32_t i = 0; i < bundle->kernel[0].map_count; i++)
		bundle->kernel[0].maps[i].contents[0] = '\0';
	assert_not_sealed(fixture, fixture->directory, "\"data\" that does not belong");
}

static void fill_maps(struct bundle *bundle, const char *path)
{
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		for (uint32_t k = 0; k < bundle->kernel[i].map_count; k++)
			strcpy(bundle->kernel[i].maps[k].contents, path);
}

/* A file may fill any number of maps; so many files, and not one more. Where the number is
 * right, it is refused for all functions having one name. */
static void test_seal_many(void **state)
{
	struct fixture *fixture = *state;
	struct bundle *bundle = &fixture->workflow.bundle;
	uint32_t files = 2; /* without data */

	bundle->kernel_count = FAAS_KERNEL_FUNCTIONS_MAX;
	bundle->kernel[0].map_count = FAAS_STATE_MAPS_MAX;
	for (uint32_t i = 1; i < FAAS_KERNEL_FUNCTIONS_MAX; i++)
		bundle->kernel[i] = bundle->kernel[0];
	fill_maps(bundle, "data/k.list");
	assert_int_equal(bundle_seal(fixture->directory, bundle, &fixture->diags), -1);
	assert_int_equal(bundle->file_count, 3);
	replace(fixture, "data/k.list");
	fill_maps(bundle, "data/2");
	for (uint32_t i = 0; files <= BUNDLE_FILES_MAX; i++) {
		char *contents = bundle->kernel[i / FAAS_STATE_MAPS_MAX]
					 .maps[i % FAAS_STATE_MAPS_MAX]
					 .contents;

		if (files == BUNDLE_FILES_MAX) {
			assert_int_equal(bundle_seal(fixture->directory, bundle, &fixture->diags),
					 -1);
			assert_int_equal(bundle->file_count, BUNDLE_FILES_MAX);
			memset(&fixture->diags, 0, sizeof(fixture->diags));
		}
		snprintf(contents, BUNDLE_DATA_PATH_BYTES, "data/%u", files++);
		write_file(fixture, contents, "");
	}
	assert_not_sealed(fixture, fixture->directory, "one file more than a bundle may have");
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
		cmocka_unit_test(test_spoilt),
		cmocka_unit_test_setup_teardown(test_largest_manifest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_directory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_seal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_seal_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_seal_without, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_seal_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_digest, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
