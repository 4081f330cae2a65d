// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Kernel functions alone: see function_harness.h. */
#include "function_harness.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <netinet/in.h>

#include <ebpf_faas/event.h>

#include "one_function.h"
#include "store.h"

#define HARNESS_SHOWN_BYTES 900 /* of the log: cmocka cuts messages at 1024 */
#define COST_ROUNDS 7
#define COST_REPEAT 200000

/* Files that live while an object is made. */
struct workshop {
	char directory[64];
	char driver_c[96], driver_o[96], fused_o[96], maps[96], messages[96];
};

static void workshop_open(struct workshop *ret)
{
	snprintf(ret->directory, sizeof(ret->directory), "/tmp/ef_harness_XXXXXX");
	if (!mkdtemp(ret->directory))
		fail_msg("mkdtemp: %s", strerror(errno));
	snprintf(ret->driver_c, sizeof(ret->driver_c), "%s/driver.bpf.c", ret->directory);
	snprintf(ret->driver_o, sizeof(ret->driver_o), "%s/driver.bpf.o", ret->directory);
	snprintf(ret->fused_o, sizeof(ret->fused_o), "%s/fused.bpf.o", ret->directory);
	snprintf(ret->maps, sizeof(ret->maps), "%s/maps", ret->directory);
	snprintf(ret->messages, sizeof(ret->messages), "%s/messages", ret->directory);
}

static void workshop_close(struct workshop *workshop)
{
	unlink(workshop->driver_c);
	unlink(workshop->driver_o);
	unlink(workshop->fused_o);
	unlink(workshop->maps);
	unlink(workshop->messages);
	rmdir(workshop->directory);
}

/* In the child: output into files, and become the program. */
static void __attribute__((noreturn))
become(const struct workshop *workshop, const char *const argv[])
{
	int out = open(workshop->maps, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int messages = open(workshop->messages, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (argv[0] && out >= 0 && messages >= 0 && dup2(out, 1) >= 0 && dup2(messages, 2) >= 0) {
		execvp(argv[0], (char *const *)argv);
		dprintf(2, "%s", strerror(errno));
	}
	_exit(127);
}

/* Run a program; what it prints goes into files. Fails the test if it fails. */
static void run(struct workshop *workshop, const char *const argv[])
{
	char message[4096] = "";
	int status = -1;
	FILE *stream;
	pid_t pid;

	pid = fork();
	if (!pid)
		become(workshop, argv);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status))
		return;
	stream = fopen(workshop->messages, "re");
	if (stream) {
		message[fread(message, 1, sizeof(message) - 1, stream)] = '\0';
		fclose(stream);
	}
	workshop_close(workshop);
	fail_msg("%s failed: %s", argv[0], message);
}

static void write_instance(FILE *out, const struct harness_instance *instance)
{
	const char *name = instance->instance;

	fprintf(out, "extern int %s__faas_event(struct faas_call *call);\n", name);
	for (int i = 0; i < HARNESS_PARAMS_MAX && instance->params[i].name; i++) {
		const struct harness_param *param = &instance->params[i];

		if (param->changeable)
			fprintf(out,
				"volatile FAAS_TYPE_%s %s__faas_param_%s SEC(\".data._%s_%s\") = "
				"%s;\n",
				param->type, name, param->name, name, param->name, param->value);
		else
			fprintf(out, "const FAAS_TYPE_%s %s__faas_param_%s = %s;\n", param->type,
				name, param->name, param->value);
	}
	for (int i = 0; i < FAAS_OUTPUTS_MAX && instance->outputs[i]; i++)
		fprintf(out, "const unsigned int %s__faas_output_%s = %d;\n", name,
			instance->outputs[i], i);
	for (int i = 0; i < FAAS_RECORD_FIELDS_MAX && instance->fields[i]; i++)
		fprintf(out, "const unsigned int %s__faas_field_%s = %d;\n", name,
			instance->fields[i], i);
}

/* The driver's source. Returns-owned. */
static char *driver_text(const struct harness_instance *instances, unsigned int count)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	fprintf(out, "#include \"driver.h\"\n");
	for (unsigned int i = 0; i < count; i++)
		write_instance(out, &instances[i]);
	fprintf(out, "faas_inline int run_instance(struct faas_call *call, __u32 instance)\n{\n"
		     "\tswitch (instance) {\n");
	for (unsigned int i = 0; i < count; i++)
		fprintf(out, "\tcase %u:\n\t\treturn %s__faas_event(call);\n", i,
			instances[i].instance);
	fprintf(out, "\t}\n\treturn -1;\n}\n\n#define ONE_FUNCTION_DRIVER\n"
		     "#include \"" TEST_SOURCE "/tests/bpf/one_function.h\"\n");
	assert_int_equal(fclose(out), 0);
	return text;
}

static void write_driver(struct workshop *workshop, const char *text)
{
	FILE *out = fopen(workshop->driver_c, "we");

	if (!out || fputs(text, out) == EOF || fclose(out))
		fail_msg("%s: %s", workshop->driver_c, strerror(errno));
}

static void compile(struct workshop *workshop, const char *text,
		    const struct harness_instance *instances, unsigned int count)
{
	static const char *const multiarch[] = {"x86_64-linux-gnu", "aarch64-linux-gnu"};
	const char *clang = getenv("CLANG") ? getenv("CLANG") : "clang";
	const char *link[4 + HARNESS_INSTANCES_MAX + 1] = {
		TEST_BUILD "/libexec/ebpf-faas-fuse", "-o", workshop->fused_o, workshop->driver_o};
	/* clang-format off */
	const char *argv[24] = {
		clang, "-g", "-O2", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror",
		"-fembed-bitcode=all", "-I" TEST_SOURCE "/include", "-I" TEST_SOURCE "/bpf"};
	/* clang-format on */
	unsigned int used = 11;
	char inputs[HARNESS_INSTANCES_MAX][512], includes[2][64];

	for (unsigned int i = 0; i < 2; i++) {
		snprintf(includes[i], sizeof(includes[i]), "-I/usr/include/%s", multiarch[i]);
		if (!access(includes[i] + 2, F_OK))
			argv[used++] = includes[i];
	}
	argv[used++] = "-c";
	argv[used++] = workshop->driver_c;
	argv[used++] = "-o";
	argv[used++] = workshop->driver_o;
	write_driver(workshop, text);
	run(workshop, argv);
	for (unsigned int i = 0; i < count; i++) {
		snprintf(inputs[i], sizeof(inputs[i]), "%s=" TEST_BUILD "/%s",
			 instances[i].instance, instances[i].object);
		link[4 + i] = inputs[i];
	}
	run(workshop, link);
}

/* The fused object, kept from an earlier run or made. */
static void fuse(struct workshop *workshop, const struct harness_instance *instances,
		 unsigned int count)
{
	const char *files[HARNESS_INSTANCES_MAX + 1] = {NULL};
	char *driver = driver_text(instances, count), name[STORE_NAME_BYTES];

	for (unsigned int i = 0; i < count; i++)
		files[i] = instances[i].object;
	/* Which instance each object becomes is in the driver, in their order. */
	assert_int_equal(store_name(driver, files, name), 0);
	if (store_get(name, "o", workshop->fused_o) || store_get(name, "maps", workshop->maps)) {
		compile(workshop, driver, instances, count);
		store_put(name, "o", workshop->fused_o);
		store_put(name, "maps", workshop->maps);
	}
	free(driver);
}

static void read_maps(struct workshop *workshop, struct harness *harness)
{
	FILE *stream = fopen(workshop->maps, "re");

	if (!stream) {
		fail_msg("%s: %s", workshop->maps, strerror(errno));
		return;
	}
	while (harness->map_count < HARNESS_MAPS_MAX) {
		struct harness_map *map = &harness->maps[harness->map_count];

		if (fscanf(stream, "map %31s %31s %31s\n", map->instance, map->map, map->name) != 3)
			break;
		harness->map_count++;
	}
	assert_true(feof(stream));
	fclose(stream);
}

struct bpf_map *harness_map(const struct harness *harness, const char *instance, const char *map)
{
	for (unsigned int i = 0; i < harness->map_count; i++)
		if (!strcmp(harness->maps[i].instance, instance) &&
		    !strcmp(harness->maps[i].map, map))
			return bpf_object__find_map_by_name(harness->object, harness->maps[i].name);
	fail_msg("instance %s has no map %s", instance, map);
	return NULL;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

static void load(struct workshop *workshop, struct harness *harness,
		 const struct harness_instance *instances, unsigned int count)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .kernel_log_buf = harness->log,
		    .kernel_log_size = sizeof(harness->log));
	libbpf_print_fn_t before;
	int err;

	harness->object = bpf_object__open_file(workshop->fused_o, &options);
	err = harness->object ? 0 : errno;
	workshop_close(workshop); /* before anything can fail the test */
	if (err)
		fail_msg("the fused object does not open: %s", strerror(err));
	for (unsigned int i = 0; i < count; i++) {
		struct bpf_map *map;

		if (!instances[i].sized_map)
			continue;
		map = harness_map(harness, instances[i].instance, instances[i].sized_map);
		assert_non_null(map);
		assert_int_equal(bpf_map__set_max_entries(map, instances[i].entries), 0);
	}
	before = libbpf_set_print(quiet);
	err = bpf_object__load(harness->object);
	libbpf_set_print(before);
	if (err) {
		if (!harness->log[0])
			snprintf(harness->log, sizeof(harness->log), "before the verifier: %s",
				 strerror(-err));
		bpf_object__close(harness->object);
		harness->object = NULL;
		return;
	}
	harness->program_fd =
		bpf_program__fd(bpf_object__find_program_by_name(harness->object, "one_function"));
	assert_true(harness->program_fd >= 0);
}

struct harness *harness_try(const struct harness_instance *instances, unsigned int count)
{
	struct harness *harness = calloc(1, sizeof(*harness));
	struct workshop workshop = {.directory = ""};

	assert_non_null(harness);
	assert_in_range(count, 1, HARNESS_INSTANCES_MAX);
	workshop_open(&workshop);
	fuse(&workshop, instances, count);
	read_maps(&workshop, harness);
	load(&workshop, harness, instances, count);
	return harness;
}

struct harness *harness_open(const struct harness_instance *instances, unsigned int count)
{
	struct harness *harness = harness_try(instances, count);
	size_t bytes = strlen(harness->log),
	       shown = bytes < HARNESS_SHOWN_BYTES ? bytes : HARNESS_SHOWN_BYTES;

	if (!harness->object)
		fail_msg("refused: ...%s", harness->log + bytes - shown);
	return harness;
}

void harness_close(struct harness *harness)
{
	if (!harness)
		return;
	bpf_object__close(harness->object);
	free(harness);
}

struct faas_packet harness_describe(const struct frame_spec *spec, const struct frame *frame,
				    uint8_t flags)
{
	uint32_t present =
		frame->bytes > frame->payload_offset ? frame->bytes - frame->payload_offset : 0;
	uint16_t tag = spec->vlans[0].tag;

	return (struct faas_packet){
		.trigger = 1,
		.l3_offset = (uint16_t)frame->l3_offset,
		.l4_offset = (uint16_t)frame->l4_offset,
		.payload_offset = (uint16_t)frame->payload_offset,
		.payload_bytes =
			(uint16_t)(frame->payload_bytes < present ? frame->payload_bytes : present),
		.source_port = spec->source_port ? spec->source_port : 40000,
		.destination_port = spec->destination_port ? spec->destination_port : 5005,
		.vlan = tag == FRAME_VLAN_ZERO ? 0 : tag & 0xfff,
		.ip_version = spec->ip_version ? spec->ip_version : 4,
		.ip_protocol = spec->protocol ? spec->protocol : IPPROTO_UDP,
		.flags = flags,
		.ethertype = spec->ethertype	     ? spec->ethertype
			     : spec->ip_version == 6 ? 0x86dd
						     : 0x0800,
	};
}

static void set_map(struct harness *harness, const char *name, const void *value)
{
	int fd = bpf_object__find_map_fd_by_name(harness->object, name);
	uint32_t zero = 0;

	assert_true(fd >= 0);
	assert_int_equal(bpf_map_update_elem(fd, &zero, value, BPF_ANY), 0);
}

/* The packet's description, on whichever CPU the program runs. */
static void set_packet(struct harness *harness, const struct faas_packet *packet)
{
	static struct faas_packet values[HARNESS_CPUS_MAX];
	int cpus = libbpf_num_possible_cpus();

	assert_in_range(cpus, 1, HARNESS_CPUS_MAX);
	for (int i = 0; i < cpus; i++)
		values[i] = *packet;
	set_map(harness, "packet", values);
}

static uint32_t test_run(struct harness *harness, const void *frame, uint32_t bytes,
			 unsigned int repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = bytes,
		    .repeat = (int)repeat);
	int err = bpf_prog_test_run_opts(harness->program_fd, &options);

	if (err)
		fail_msg("BPF_PROG_TEST_RUN: %s", strerror(-err));
	assert_int_equal(options.retval, XDP_PASS);
	return options.duration;
}

void harness_run_packet(struct harness *harness, unsigned int instance, const void *frame,
			uint32_t bytes, const struct faas_packet *packet,
			struct harness_answer *ret)
{
	struct one_request request = {.instance = instance};
	struct one_answer answer;
	uint32_t zero = 0;

	set_packet(harness, packet);
	set_map(harness, "request", &request);
	test_run(harness, frame, bytes, 1);
	assert_int_equal(
		bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(harness->object, "answer"),
				    &zero, &answer),
		0);
	ret->output = answer.output;
	ret->fields_present = answer.fields_present;
	memcpy(ret->fields, answer.fields, sizeof(ret->fields));
}

void harness_run(struct harness *harness, unsigned int instance, const struct frame_spec *spec,
		 uint8_t flags, struct harness_answer *ret)
{
	struct faas_packet packet;
	struct frame frame;

	frame_build(spec, &frame);
	packet = harness_describe(spec, &frame, flags);
	harness_run_packet(harness, instance, frame.data, frame.bytes, &packet, ret);
}

void harness_set(struct harness *harness, const char *instance, const char *param, int64_t value)
{
	char name[96];
	struct bpf_map *map;

	snprintf(name, sizeof(name), ".data._%s_%s", instance, param);
	map = bpf_object__find_map_by_name(harness->object, name);
	if (!map)
		fail_msg("%s of %s is not changeable", param, instance);
	assert_true(bpf_map__value_size(map) == 4 || bpf_map__value_size(map) == 8);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), &(uint32_t){0}, &value, BPF_ANY), 0);
}

/* ---- several CPUs ---- */

struct runner {
	pthread_t thread;
	pthread_barrier_t *barrier;
	int program_fd, cpu;
	const struct frame *frame;
	unsigned int repeat;
	int err;
	uint32_t verdict;
};

static void *run_on_cpu(void *argument)
{
	struct runner *runner = argument;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = runner->frame->data,
		    .data_size_in = runner->frame->bytes, .repeat = (int)runner->repeat);
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(runner->cpu, &cpus);
	runner->err = pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	pthread_barrier_wait(runner->barrier);
	if (!runner->err)
		runner->err = bpf_prog_test_run_opts(runner->program_fd, &options);
	runner->verdict = options.retval;
	return NULL;
}

/* The CPUs that this process may use, up to @p max. */
static unsigned int usable_cpus(struct runner *runners, unsigned int max)
{
	unsigned int count = 0;
	cpu_set_t cpus;

	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE && count < max; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			runners[count++].cpu = cpu;
	return count;
}

/* Read and clear. */
static void take_tallies(struct harness *harness, uint64_t ret[FAAS_OUTPUTS_MAX])
{
	int fd = bpf_object__find_map_fd_by_name(harness->object, "tallies");
	const uint64_t zero = 0;

	for (uint32_t i = 0; i < FAAS_OUTPUTS_MAX; i++) {
		assert_int_equal(bpf_map_lookup_elem(fd, &i, &ret[i]), 0);
		assert_int_equal(bpf_map_update_elem(fd, &i, &zero, BPF_ANY), 0);
	}
}

unsigned int harness_run_together(struct harness *harness, unsigned int instance,
				  const struct frame_spec *spec, enum harness_vary vary,
				  unsigned int repeat, uint64_t ret_tallies[FAAS_OUTPUTS_MAX])
{
	struct one_request request = {.instance = instance, .vary = (uint16_t)vary, .tally = 1};
	static const uint64_t sequence[HARNESS_CPUS_MAX];
	struct runner runners[HARNESS_TOGETHER] = {{0}};
	const unsigned int cpus = usable_cpus(runners, HARNESS_TOGETHER);
	pthread_barrier_t barrier;
	struct faas_packet packet;
	struct frame frame;

	/* One CPU takes turns: the answers must be the same, if not as hard won. */
	for (unsigned int i = cpus; i < HARNESS_TOGETHER; i++)
		runners[i].cpu = runners[0].cpu;
	frame_build(spec, &frame);
	packet = harness_describe(spec, &frame, 0);
	set_packet(harness, &packet);
	set_map(harness, "request", &request);
	set_map(harness, "sequence", sequence);
	assert_int_equal(pthread_barrier_init(&barrier, NULL, HARNESS_TOGETHER), 0);
	for (unsigned int i = 0; i < HARNESS_TOGETHER; i++) {
		runners[i].barrier = &barrier;
		runners[i].program_fd = harness->program_fd;
		runners[i].frame = &frame;
		runners[i].repeat = repeat;
		assert_int_equal(pthread_create(&runners[i].thread, NULL, run_on_cpu, &runners[i]),
				 0);
	}
	for (unsigned int i = 0; i < HARNESS_TOGETHER; i++)
		assert_int_equal(pthread_join(runners[i].thread, NULL), 0);
	pthread_barrier_destroy(&barrier);
	for (unsigned int i = 0; i < HARNESS_TOGETHER; i++) {
		assert_int_equal(runners[i].err, 0);
		assert_int_equal(runners[i].verdict, XDP_PASS);
	}
	take_tallies(harness, ret_tallies);
	return cpus;
}

/* ---- time ---- */

uint32_t harness_time(struct harness *harness, unsigned int instance, const struct frame_spec *spec,
		      enum harness_vary vary, unsigned int repeat)
{
	struct one_request request = {.instance = instance, .vary = (uint16_t)vary};
	struct faas_packet packet;
	struct frame frame;

	frame_build(spec, &frame);
	packet = harness_describe(spec, &frame, 0);
	set_packet(harness, &packet);
	set_map(harness, "request", &request);
	return test_run(harness, frame.data, frame.bytes, repeat);
}

void harness_print_cost(struct harness *harness, unsigned int instance,
			const struct frame_spec *spec, enum harness_vary vary, const char *what)
{
	const struct harness_instance nothing = {
		.instance = "nothing", .object = "tests/bpf/nothing.bpf.o", .outputs = {"done"}};
	struct harness *empty = harness_open(&nothing, 1);
	uint32_t best[2] = {UINT32_MAX, UINT32_MAX};

	for (int round = 0; round < COST_ROUNDS; round++) {
		uint32_t ns[2] = {harness_time(harness, instance, spec, vary, COST_REPEAT),
				  harness_time(empty, 0, spec, vary, COST_REPEAT)};

		for (int side = 0; side < 2; side++)
			best[side] = ns[side] < best[side] ? ns[side] : best[side];
	}
	print_message("             %s: %d ns above an empty function (%u, %u)\n", what,
		      (int)best[0] - (int)best[1], best[0], best[1]);
	harness_close(empty);
}
