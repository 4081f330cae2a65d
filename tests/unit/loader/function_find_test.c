// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Finding and compiling functions; objects that are corrupt or made to do harm. */
#include <errno.h>
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

#include "loader/function.h"
#include "paths.h"

static const char kernel_source[] = "#include <ebpf_faas/kernel.h>\n"
				    "FAAS_KERNEL_FUNCTION(\"Splits\");\n"
				    "FAAS_PARAM(u32, limit, 128, 0, 255, \"From here on\");\n"
				    "FAAS_OUTPUT(low, \"Below\");\n"
				    "FAAS_OUTPUT(high, \"Not below\");\n"
				    "FAAS_EVENT(call)\n"
				    "{\n"
				    "\treturn call->payload_bytes < faas_param(limit) ?\n"
				    "\t\tfaas_output(low) : faas_output(high);\n"
				    "}\n";

static const char user_source[] =
	"#include <ebpf_faas/user.h>\n"
	"FAAS_USER_FUNCTION(\"Counts\");\n"
	"FAAS_OUTPUT(total, \"So far\");\n"
	"FAAS_FIELD(total, first, u64, \"\", \"\");\n"
	"FAAS_FIELD(total, second, f64, \"\", \"\");\n"
	"FAAS_FIELD(total, third, s64, \"\", \"\");\n"
	"struct state { uint64_t count[3]; };\n"
	"FAAS_STATE(struct state, 7);\n"
	"int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)\n"
	"{\n"
	"\t(void)call; (void)event; (void)data;\n"
	"\treturn 0;\n"
	"}\n";

struct fixture {
	char directory[40];
	char build[64];
	char first[64], second[64];
	struct function_library library;
	struct function function;
	struct diags diags;
};

static void write_file(const char *directory, const char *name, const char *file, const char *text)
{
	char path[256];
	FILE *stream;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_true(!mkdir(path, 0755) || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/%s/%s", directory, name, file);
	stream = fopen(path, "w");
	assert_non_null(stream);
	fputs(text, stream);
	assert_int_equal(fclose(stream), 0);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture)
		return -1;
	*state = fixture;
	strcpy(fixture->directory, "/tmp/function_find_test.XXXXXX");
	if (!mkdtemp(fixture->directory))
		return -1;
	snprintf(fixture->build, sizeof(fixture->build), "%s/build", fixture->directory);
	snprintf(fixture->first, sizeof(fixture->first), "%s/first", fixture->directory);
	snprintf(fixture->second, sizeof(fixture->second), "%s/second", fixture->directory);
	if (mkdir(fixture->build, 0755) || mkdir(fixture->first, 0755) ||
	    mkdir(fixture->second, 0755))
		return -1;
	fixture->library = (struct function_library){
		.directories = {"/tmp/function_find_test.none", fixture->first, fixture->second},
		.count = 3,
		.build_directory = fixture->build};
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	char command[80];

	snprintf(command, sizeof(command), "rm -r %s", fixture->directory);
	assert_int_equal(system(command), 0);
	free(fixture);
	return 0;
}

static int find(struct fixture *fixture, enum function_tier tier, const char *name)
{
	memset(&fixture->diags, 0, sizeof(fixture->diags));
	return function_find(&fixture->library, tier, name, &fixture->function, &fixture->diags);
}

static void find_it(struct fixture *fixture, enum function_tier tier, const char *name)
{
	if (find(fixture, tier, name)) {
		diags_print(&fixture->diags, stderr);
		fail_msg("%s is not found", name);
	}
}

static void test_compile(void **state)
{
	struct fixture *fixture = *state;
	const struct function *function = &fixture->function;
	char path[128];

	write_file(fixture->second, "both", "both.bpf.c", kernel_source);
	write_file(fixture->second, "both", "both.user.c", user_source);
	find_it(fixture, TIER_KERNEL, "both");
	assert_string_equal(function->name, "both");
	assert_string_equal(function->params[0].name, "limit");
	assert_int_equal(function->output_count, 2);
	snprintf(path, sizeof(path), "%s/both.bpf.o", fixture->build);
	assert_string_equal(function->object, path);
	snprintf(path, sizeof(path), "%s/both/both.bpf.c", fixture->second);
	assert_string_equal(function->source, path);

	find_it(fixture, TIER_USER, "both");
	assert_true(function->has_state);
	assert_int_equal(function->state_bytes, 24);
	assert_int_equal(function->state_version, 7);
	/* In the order of the source: faas_emit() goes by it. */
	assert_string_equal(function->outputs[0].fields[0].name, "first");
	assert_string_equal(function->outputs[0].fields[1].name, "second");
	assert_string_equal(function->outputs[0].fields[2].name, "third");
}

static void test_not_found(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture->first, "only", "only.bpf.c", kernel_source);
	assert_int_equal(find(fixture, TIER_USER, "only"), -ENOENT);
	assert_int_equal(find(fixture, TIER_KERNEL, "onl"), -ENOENT);
	/* Names are C identifiers: no way to other directories. */
	write_file(fixture->first, "a-b", "a-b.bpf.c", kernel_source);
	assert_int_equal(find(fixture, TIER_KERNEL, "a-b"), -ENOENT);
	assert_int_equal(find(fixture, TIER_KERNEL, "../first/only"), -ENOENT);
	assert_int_equal(fixture->diags.count, 0);
}

static void test_order(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture->second, "f", "f.user.c", "#error second\n");
	write_file(fixture->first, "f", "f.user.c", user_source);
	find_it(fixture, TIER_USER, "f");
	assert_non_null(strstr(fixture->function.source, "/first/"));
}

static void set_time(const char *directory, const char *name, long seconds)
{
	const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* An object is used unless its source is newer. */
static void test_object(void **state)
{
	struct fixture *fixture = *state;
	char from[128], to[128], path[128];

	write_file(fixture->first, "f", "f.user.c", user_source);
	find_it(fixture, TIER_USER, "f");
	snprintf(from, sizeof(from), "%s/f.so", fixture->build);
	snprintf(to, sizeof(to), "%s/f/f.so", fixture->first);
	assert_int_equal(rename(from, to), 0);
	set_time(fixture->first, "f/f.user.c", 1000);
	set_time(fixture->first, "f/f.so", 1000);
	find_it(fixture, TIER_USER, "f");
	assert_string_equal(fixture->function.object, to);

	set_time(fixture->first, "f/f.user.c", 1001);
	find_it(fixture, TIER_USER, "f");
	assert_string_equal(fixture->function.object, from);

	/* Without a source, the object is what there is. */
	snprintf(path, sizeof(path), "%s/f/f.user.c", fixture->first);
	assert_int_equal(unlink(path), 0);
	find_it(fixture, TIER_USER, "f");
	assert_string_equal(fixture->function.object, to);
	assert_string_equal(fixture->function.source, "");

	/* Without a place to build there is only what is built. */
	write_file(fixture->first, "g", "g.user.c", user_source);
	fixture->library.build_directory = NULL;
	assert_int_equal(find(fixture, TIER_USER, "g"), -EINVAL);
	assert_non_null(strstr(fixture->diags.list[0].cause, "missing or out of date"));
}

static void assert_error(struct fixture *fixture, enum function_tier tier, const char *source,
			 unsigned int line, unsigned int column, const char *cause)
{
	const char *file = tier == TIER_KERNEL ? "bad.bpf.c" : "bad.user.c";
	const struct diag *diag = &fixture->diags.list[0];
	char path[128];

	write_file(fixture->first, "bad", file, source);
	snprintf(path, sizeof(path), "%s/bad/%s", fixture->first, file);
	assert_int_equal(find(fixture, tier, "bad"), -EINVAL);
	if (strcmp(diag->file, path) || diag->line != line || diag->column != column ||
	    !strstr(diag->cause, cause)) {
		diags_print(&fixture->diags, stderr);
		fail_msg("not %u:%u \"%s\"", line, column, cause);
	}
}

/* The compiler's words, at their place. */
static void test_errors(void **state)
{
	struct fixture *fixture = *state;

	assert_error(fixture, TIER_KERNEL,
		     "#include <ebpf_faas/kernel.h>\n\nFAAS_EVENT(call)\n{\n\treturn nothing;\n}\n",
		     5, 9, "undeclared identifier 'nothing'");
	assert_error(fixture, TIER_USER, "#include <ebpf_faas/user.h>\n\nint x = nothing;\n", 3, 9,
		     "nothing");
	assert_error(fixture, TIER_USER, "#include <none.h>\n", 1, 10, "none.h");
	/* The worker would find out, when it is too late. */
	assert_error(fixture, TIER_USER, "int faas_on_init(void)\n{\n\treturn faas_emitt();\n}\n",
		     3, 16, "implicit declaration of function");
	/* Each version of clang has other words around it. */
	assert_error(fixture, TIER_KERNEL, "int f(void)\n{\n\treturn g();\n}\n", 3, 9,
		     "function 'g'");
}

/* Its author wrote the source, and not the object that was made of it. */
static void assert_refused(struct fixture *fixture, enum function_tier tier, const char *source,
			   const char *cause)
{
	const char *file = tier == TIER_KERNEL ? "bad.bpf.c" : "bad.user.c";
	char path[128];

	write_file(fixture->first, "bad", file, source);
	snprintf(path, sizeof(path), "%s/bad/%s", fixture->first, file);
	assert_int_equal(find(fixture, tier, "bad"), -EINVAL);
	assert_string_equal(fixture->diags.list[0].file, path);
	if (!strstr(fixture->diags.list[0].cause, cause)) {
		diags_print(&fixture->diags, stderr);
		fail_msg("not \"%s\"", cause);
	}
}

#define CALLER                                                                                     \
	"#include <ebpf_faas/user.h>\n#include <math.h>\n#include <stdio.h>\n"                     \
	"FAAS_USER_FUNCTION(\"x\");\nFAAS_OUTPUT(o, \"o\");\n"                                     \
	"int declared(int);\nint other(int);\nint __attribute__((weak)) may_be(int);\n"            \
	"static int use_all(struct faas_call *c)\n"                                                \
	"{ return may_be ? may_be(1) : printf(\"%%g\", sin((double)faas_now(c))); }\n"

/* An object that was linked by its author, with a library that no worker finds. */
static void test_libraries(void **state)
{
	static const struct {
		const char *options;
		bool taken;
	} rows[] = {{"-lm -lgcc_s", true}, {"-ljansson", false}};
	struct fixture *fixture = *state;
	char command[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(fixture->first, "linked", "linked.user.c", user_source);
		snprintf(command, sizeof(command),
			 "cd %s/linked && cc -D_GNU_SOURCE -I%s -fPIC -shared -Wl,--no-as-needed "
			 "-o linked.so linked.user.c %s && rm linked.user.c",
			 fixture->first, paths_include(), rows[i].options);
		assert_int_equal(system(command), 0);
		if (rows[i].taken) {
			find_it(fixture, TIER_USER, "linked");
			continue;
		}
		assert_int_equal(find(fixture, TIER_USER, "linked"), -EINVAL);
		assert_non_null(strstr(fixture->diags.list[0].cause, "it needs libjansson.so.4"));
	}
}

/* What is declared, and defined nowhere. */
static void test_calls(void **state)
{
	static const struct {
		const char *name, *handler, *cause;
	} rows[] = {
		{"of the C library, the API and the weak", "return use_all(c) + !e + !s;", NULL},
		{"one", "return declared(use_all(c)) + !e + !s;", "it calls declared, which"},
		{"two", "return declared(other(1)) + use_all(c) + !e + !s;", ", nor 1 other"},
	};
	struct fixture *fixture = *state;
	char source[1024], path[128];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(source, sizeof(source),
			 CALLER "int faas_on_event(struct faas_call *c, "
				"const struct faas_event *e, void *s)\n{ %s }\n",
			 rows[i].handler);
		if (rows[i].cause) {
			assert_refused(fixture, TIER_USER, source, rows[i].cause);
			continue;
		}
		write_file(fixture->first, "bad", "bad.user.c", source);
		find_it(fixture, TIER_USER, "bad");
	}
	snprintf(path, sizeof(path), "%s/bad/bad.user.c", fixture->first);
	assert_int_equal(unlink(path), 0);
}

static void test_incomplete(void **state)
{
	struct fixture *fixture = *state;

	assert_refused(fixture, TIER_KERNEL, "int x;\n", ".faas.meta is missing");
	assert_refused(fixture, TIER_KERNEL,
		       "#include <ebpf_faas/kernel.h>\nFAAS_KERNEL_FUNCTION(\"x\");\n",
		       "no FAAS_EVENT");
	assert_refused(fixture, TIER_USER,
		       "#include <ebpf_faas/user.h>\nFAAS_USER_FUNCTION(\"x\");\n",
		       "no faas_on_event");
	assert_refused(
		fixture, TIER_USER,
		"#include "
		"<ebpf_faas/user.h>\nFAAS_USER_FUNCTION(\"x\");\nFAAS_META(\"state\\t1\");\n"
		"int faas_on_event(struct faas_call *c, const struct faas_event *e, void *s)\n"
		"{ return !c + !e + !s; }\n",
		"no symbol faas_state_bytes");
	assert_refused(
		fixture, TIER_USER,
		"#include "
		"<ebpf_faas/user.h>\nFAAS_USER_FUNCTION(\"x\");\nFAAS_META(\"state\\t1\");\n"
		"const uint32_t faas_state_bytes = 4097;\n"
		"int faas_on_event(struct faas_call *c, const struct faas_event *e, void *s)\n"
		"{ return !c + !e + !s; }\n",
		"a state of 4097 bytes");
	assert_refused(
		fixture, TIER_USER,
		"#include <ebpf_faas/user.h>\nFAAS_USER_FUNCTION(\"x\");\nFAAS_TIMER();\n"
		"int faas_on_event(struct faas_call *c, const struct faas_event *e, void *s)\n"
		"{ return !c + !e + !s; }\n",
		"declares FAAS_TIMER and has no faas_on_timer");
	assert_refused(
		fixture, TIER_USER,
		"#include <ebpf_faas/user.h>\nFAAS_USER_FUNCTION(\"x\");\n"
		"int faas_on_event(struct faas_call *c, const struct faas_event *e, void *s)\n"
		"{ return !c + !e + !s; }\n"
		"int faas_on_timer(struct faas_call *c, const struct faas_event *e, void *s)\n"
		"{ return !c + !e + !s; }\n",
		"has faas_on_timer and does not declare FAAS_TIMER");
	assert_refused(
		fixture, TIER_USER,
		"#include <ebpf_faas/user.h>\nFAAS_USER_FUNCTION(\"x\");\nFAAS_BATCH();\n"
		"int faas_on_event(struct faas_call *c, const struct faas_event *e, void *s)\n"
		"{ return !c + !e + !s; }\n",
		"declares FAAS_BATCH and has no faas_on_batch");
	/* A symbol that points behind its section. */
	assert_refused(
		fixture, TIER_USER,
		"#include "
		"<ebpf_faas/user.h>\nFAAS_USER_FUNCTION(\"x\");\nFAAS_META(\"state\\t1\");\n"
		"int faas_on_event(struct faas_call *c, const struct faas_event *e, void *s)\n"
		"{ return !c + !e + !s; }\n"
		"asm(\".section .rodata\\nanchor: .long 8\\n.globl faas_state_bytes\\n\"\n"
		"    \".set faas_state_bytes, anchor + 0x1000000\\n.text\");\n",
		"faas_state_bytes has no value");
}

static void test_list(void **state)
{
	struct fixture *fixture = *state;
	struct function_name *names = NULL;
	unsigned int count = 0;

	write_file(fixture->first, "b", "b.user.c", "");
	write_file(fixture->first, "a", "a.bpf.c", "");
	write_file(fixture->second, "b", "b.user.c", "");
	write_file(fixture->second, "b", "b.bpf.o", "");
	write_file(fixture->second, "c", "d.bpf.c", "");
	assert_int_equal(function_list(&fixture->library, &names, &count), 0);
	assert_int_equal(count, 3);
	assert_string_equal(names[0].name, "a");
	assert_string_equal(names[1].name, "b");
	assert_int_equal(names[1].tier, TIER_KERNEL);
	assert_int_equal(names[2].tier, TIER_USER);
	free(names);
}

/* ---- objects ---- */

static size_t read_object(const char *path, char *ret, size_t bytes)
{
	FILE *stream = fopen(path, "r");
	size_t count;

	assert_non_null(stream);
	count = fread(ret, 1, bytes, stream);
	assert_true(count > 0 && count < bytes);
	fclose(stream);
	return count;
}

/* Read an object that holds @p bytes of @p text: accepted, or refused with a word. */
static int try_object(struct fixture *fixture, enum function_tier tier, const char *text,
		      size_t bytes)
{
	char path[128];
	FILE *stream;
	int err;

	snprintf(path, sizeof(path), "%s/object", fixture->build);
	stream = fopen(path, "w");
	assert_non_null(stream);
	assert_int_equal(fwrite(text, 1, bytes, stream), bytes);
	fclose(stream);
	memset(&fixture->diags, 0, sizeof(fixture->diags));
	err = function_read_object(path, tier, &fixture->function, &fixture->diags);
	assert_int_equal(err, fixture->diags.count ? -1 : 0);
	return err;
}

static uint32_t seed = 20240229;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)seed * below) >> 32);
}

/* Flipped bytes, most of them where the structure is; the file cut anywhere. */
static void corrupt(struct fixture *fixture, enum function_tier tier, const char *source,
		    const char *file, const char *object)
{
	const size_t limit = 1 << 20;
	char *sound = malloc(limit), *text = malloc(limit), path[128];
	size_t bytes;

	assert_true(sound && text);
	write_file(fixture->first, "f", file, source);
	find_it(fixture, tier, "f");
	snprintf(path, sizeof(path), "%s/%s", fixture->build, object);
	bytes = read_object(path, sound, limit);
	assert_int_equal(try_object(fixture, tier, sound, bytes), 0);
	/* The other tier's reader refuses it by its machine. */
	assert_int_equal(try_object(fixture, !tier, sound, bytes), -1);
	for (size_t cut = 0; cut < bytes; cut += 1 + bytes / 150)
		assert_int_equal(try_object(fixture, tier, sound, cut), -1);
	for (int i = 0; i < 600; i++) {
		/* The ELF header, the section headers at the end, anywhere. */
		uint32_t where = i % 3 == 0   ? draw(64)
				 : i % 3 == 1 ? (uint32_t)bytes - 1 - draw(2048)
					      : draw((uint32_t)bytes);

		memcpy(text, sound, bytes);
		text[where] = (char)draw(256);
		(void)try_object(fixture, tier, text, bytes);
	}
	free(sound);
	free(text);
}

static void test_corrupt_kernel(void **state)
{
	corrupt(*state, TIER_KERNEL, kernel_source, "f.bpf.c", "f.bpf.o");
}

static void test_corrupt_user(void **state)
{
	corrupt(*state, TIER_USER, user_source, "f.user.c", "f.so");
}

static void test_not_elf(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(try_object(fixture, TIER_USER, "", 0), -1);
	assert_int_equal(try_object(fixture, TIER_USER, "!<arch>\n", 8), -1);
	assert_int_equal(try_object(fixture, TIER_KERNEL,
				    "\x7f"
				    "ELF",
				    4),
			 -1);
	assert_int_equal(function_read_object("/tmp/function_find_test.none", TIER_USER,
					      &fixture->function, &fixture->diags),
			 -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_compile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_object, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_errors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_calls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_libraries, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_incomplete, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_list, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_corrupt_kernel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_corrupt_user, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_elf, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
