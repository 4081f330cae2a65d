// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel_object.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>

#include "bundle_size.h"
#include "contents.h"
#include "counters.h"
#include "driver.h"
#include "generation.h"
#include "paths.h"
#include "verifier_log.h"

#define VERIFIER_LOG_BYTES (8u << 20)

static int silent(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

static int set_map_sizes(struct bpf_object *object, const struct bundle *bundle,
			 struct diags *diags)
{
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		for (uint32_t k = 0; k < bundle->kernel[i].map_count; k++) {
			const struct bundle_map *spec = &bundle->kernel[i].maps[k];
			struct bpf_map *map = bpf_object__find_map_by_name(object, spec->name);

			if (!map)
				return diag_fail(diags, DIAG_INVALID, "build the bundle again",
						 "no map %s in the bundle's kernel object",
						 spec->name);
			if (spec->entries && bpf_map__set_max_entries(map, spec->entries))
				return diag_fail(diags, DIAG_INVALID, NULL,
						 "map %s of %s cannot have %u entries", spec->map,
						 bundle->kernel[i].instance, spec->entries);
		}
	return 0;
}

static int size_meters(struct bpf_object *object, struct diags *diags)
{
	int error = counters_size(object);

	return error ? diag_fail(diags, DIAG_FAILED, NULL, "making room for the meters: %s",
				 strerror(-error))
		     : 0;
}

/* The driver's constants, alone in their section: see bpf/driver.h. */
static int write_settings(struct bpf_object *object, const struct faas_settings *settings)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		if (bpf_map__is_internal(map) && strstr(bpf_map__name(map), ".rodata._driver"))
			return bpf_map__set_initial_value(map, settings, sizeof(*settings));
	}
	return -ENOENT;
}

/* Interfaces that packets are redirected to, by index: an index means something
 * only in the network namespace of the workflow, where the caller is. */
static int find_redirects(const struct bundle *bundle, struct faas_settings *settings,
			  struct diags *diags)
{
	int error = 0;

	for (uint32_t i = 0; i < bundle->redirect_count; i++) {
		settings->redirects[i] = if_nametoindex(bundle->redirects[i]);
		if (!settings->redirects[i])
			error = diag_fail(diags, DIAG_NOT_FOUND,
					  "make the interface, or name another",
					  "%s redirects packets to interface %s: %s", bundle->name,
					  bundle->redirects[i], strerror(errno));
	}
	return error;
}

static int prepare(const struct host *host, const struct bundle *bundle, uint32_t generation,
		   struct bpf_object *object, struct diags *diags)
{
	struct faas_settings settings = {.generation = generation};
	struct bpf_map *map;
	int error = 0;

	if (host && !host->detached && find_redirects(bundle, &settings, diags))
		return -1;
	map = bpf_object__find_map_by_name(object, FAAS_PIN_RING0);
	if (map)
		error = bpf_map__set_max_entries(map, bundle_ring_bytes(bundle->queue_events));
	map = bpf_object__find_map_by_name(object, FAAS_PIN_PACKET);
	if (!map)
		error = -ENOENT;
	else if (host && !error)
		error = bpf_map__reuse_fd(map, host->packet_fd);
	if (!error)
		error = write_settings(object, &settings);
	if (error)
		return diag_fail(diags, DIAG_INVALID, "build the bundle again",
				 "the bundle's kernel object is not as this version builds it: %s",
				 strerror(-error));
	return 0;
}

static void program_name(const struct bundle *bundle, enum bundle_hook hook,
			 char ret[FAAS_OBJECT_NAME_BYTES])
{
	if (hook == HOOK_XDP || hook == HOOK_XDP_GENERIC)
		driver_program_name(bundle, ret);
	else
		driver_tc_program_name(bundle, ret);
}

/* Programs for all hooks of the triggers, and a meter for each function: what the
 * manifest says and the object does not hold would be counted as lost later. */
static int check_object(struct bpf_object *object, const struct bundle *bundle, struct diags *diags)
{
	size_t bytes = counters_meters_bytes(bundle);
	struct bpf_map *meters = bpf_object__find_map_by_name(object, FAAS_PIN_METERS);
	char name[FAAS_OBJECT_NAME_BYTES];

	if (!meters || bpf_map__type(meters) != BPF_MAP_TYPE_ARRAY ||
	    bpf_map__value_size(meters) != bytes)
		return diag_fail(diags, DIAG_INVALID, "build the bundle again",
				 "the bundle's kernel object does not have the %u functions of "
				 "its manifest",
				 bundle->kernel_count);
	for (uint32_t i = 0; i < bundle->trigger_count; i++) {
		const struct bundle_trigger *trigger = &bundle->triggers[i];

		program_name(bundle, trigger->hook, name);
		if (!bpf_object__find_program_by_name(object, name))
			return diag_fail(diags, DIAG_INVALID, "build the bundle again",
					 "the bundle's kernel object has no program for the hook "
					 "of trigger %s",
					 trigger->name);
	}
	return 0;
}

int kernel_object_open(const struct bundle *bundle, const char *directory, struct bpf_object **ret,
		       struct diags *diags)
{
	struct bpf_object *object;
	char path[FAAS_PATH_BYTES];

	libbpf_set_print(silent);
	snprintf(path, sizeof(path), "%s/%s", directory, BUNDLE_KERNEL_OBJECT);
	object = bpf_object__open_file(path, NULL);
	if (!object)
		return diag_fail(diags, DIAG_INVALID, "build the bundle again",
				 "%s is not a BPF object: %s", path, strerror(errno));
	if (check_object(object, bundle, diags) || set_map_sizes(object, bundle, diags) ||
	    size_meters(object, diags)) {
		bpf_object__close(object);
		return -1;
	}
	*ret = object;
	return 0;
}

int kernel_object_load(const struct host *host, const struct bundle *bundle, const char *directory,
		       uint32_t generation, struct bpf_object **ret, struct diags *diags)
{
	return kernel_object_load_over(host, bundle, directory, generation, NULL, ret, diags);
}

int kernel_object_load_over(const struct host *host, const struct bundle *bundle,
			    const char *directory, uint32_t generation, struct takeover *takeover,
			    struct bpf_object **ret, struct diags *diags)
{
	struct bpf_object *object = NULL;
	struct bpf_program *program;
	char path[FAAS_PATH_BYTES];
	char *log = NULL;
	int error = -1;

	snprintf(path, sizeof(path), "%s/%s", directory, BUNDLE_KERNEL_OBJECT);
	if (kernel_object_open(bundle, directory, &object, diags))
		return -1;
	if (takeover && takeover_apply(takeover, bundle, object, diags))
		goto cleanup;
	if (prepare(host, bundle, generation, object, diags))
		goto cleanup;
	log = calloc(1, VERIFIER_LOG_BYTES);
	if (!bpf_object__next_program(object, NULL) || !log) {
		diag_fail(diags, DIAG_FAILED, NULL, "%s: %s", path,
			  log ? "no program in it" : "out of memory");
		goto cleanup;
	}
	/* One log for all: loading ends with the first that is refused. */
	bpf_object__for_each_program(program, object)
		bpf_program__set_log_buf(program, log, VERIFIER_LOG_BYTES);
	/* Without this libbpf logs only after a failure, which is what we want;
	 * a second verification of a good program costs milliseconds. */
	error = bpf_object__load(object);
	if (error && (error == -EPERM || !log[0])) {
		diag_fail(diags, DIAG_PLATFORM,
			  error == -EPERM   ? "run as root; is kernel lockdown on?"
			  : error == -E2BIG ? "fewer or simpler functions"
					    : "Linux 6.1 or newer with BTF is needed",
			  "the kernel refused the program of %s: %s", bundle->name,
			  strerror(-error));
		error = -1;
	} else if (error) {
		verifier_report(bundle, path, log, -error, diags);
		error = -1;
	} else {
		error = contents_load(bundle, directory, object, diags);
	}
cleanup:
	free(log);
	if (error)
		bpf_object__close(object);
	else
		*ret = object;
	return error;
}

int kernel_object_program(struct bpf_object *object, const struct bundle *bundle,
			  enum bundle_hook hook)
{
	char name[FAAS_OBJECT_NAME_BYTES];
	struct bpf_program *program;

	program_name(bundle, hook, name);
	program = bpf_object__find_program_by_name(object, name);
	return program ? bpf_program__fd(program) : -ENOENT;
}

/* The name of a map in bpffs; false: it is not pinned. */
static bool map_pin(const struct bpf_map *map, char *ret, size_t bytes)
{
	const char *name = bpf_map__name(map);

	snprintf(ret, bytes, "%s", name);
	if (!strcmp(name, DRIVER_PARAMS_SECTION)) {
		snprintf(ret, bytes, "%s", FAAS_PIN_PARAMS);
		return true;
	}
	/* Constants need no name to be read by bpftool; a dot is not allowed in bpffs. */
	if (bpf_map__is_internal(map))
		return takeover_variables_pin(name, ret, bytes);
	return strcmp(name, FAAS_PIN_PACKET) != 0;
}

static int pin_programs(struct bpf_object *object, const struct bundle *bundle,
			const char *directory, char *path)
{
	static const struct {
		enum bundle_hook hook;
		const char *pin;
	} programs[] = {{HOOK_XDP, FAAS_PIN_PROGRAM}, {HOOK_TC_INGRESS, FAAS_PIN_TC_PROGRAM}};

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		int program = kernel_object_program(object, bundle, programs[i].hook);

		snprintf(path, FAAS_PATH_BYTES, "%s/%s", directory, programs[i].pin);
		if (program >= 0 && bpf_obj_pin(program, path))
			return -errno;
	}
	return 0;
}

int kernel_object_pin(struct bpf_object *object, const struct bundle *bundle, uint32_t generation,
		      struct diags *diags)
{
	char directory[FAAS_PATH_BYTES - 80], path[FAAS_PATH_BYTES], name[64];
	struct bpf_map *map;
	int error;

	generation_pins(bundle->name, generation, directory, sizeof(directory));
	host_remove_tree(directory);
	error = host_make_directory(directory);
	snprintf(path, sizeof(path), "%s", directory);
	bpf_object__for_each_map(map, object)
	{
		if (error || !map_pin(map, name, sizeof(name)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, name);
		/* Not bpf_map__pin(): that knows one place for a map, and one that
		 * is taken over has two. */
		error = bpf_obj_pin(bpf_map__fd(map), path) ? -errno : 0;
	}
	if (!error)
		error = pin_programs(object, bundle, directory, path);
	if (error)
		return diag_fail(diags, DIAG_FAILED, NULL, "pinning %s: %s", path,
				 strerror(-error));
	return 0;
}

/* Let the consumer seem to be far ahead, then see whether a second record fits
 * where the first still is. */
static int probe_rings(struct bpf_object *object, uint32_t *ret_records)
{
	struct bpf_map *ring = bpf_object__find_map_by_name(object, "probe_ring");
	struct bpf_program *program = bpf_object__find_program_by_name(object, "probe");
	uint8_t frame[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = 1);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t *consumer;
	int error;

	if (!ring || !program)
		return -ENOENT;
	consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(ring), 0);
	if (consumer == MAP_FAILED)
		return -errno;
	__atomic_store_n(consumer, 12288, __ATOMIC_SEQ_CST);
	error = bpf_prog_test_run_opts(bpf_program__fd(program), &run);
	munmap(consumer, page);
	if (!error)
		*ret_records = run.retval;
	return error;
}

int kernel_check_rings(struct diags *diags)
{
	struct bpf_object *object;
	char path[FAAS_PATH_BYTES];
	uint32_t records = 0;
	int error;

	libbpf_set_print(silent);
	snprintf(path, sizeof(path), "%s/probe.bpf.o", paths_libexec());
	object = bpf_object__open_file(path, NULL);
	error = object ? bpf_object__load(object) : -errno;
	if (!error)
		error = probe_rings(object, &records);
	if (object)
		bpf_object__close(object);
	if (error)
		return diag_fail(diags, DIAG_PLATFORM, "run as root on Linux 6.1 or newer",
				 "probing the kernel's ring buffers: %s", strerror(-error));
	if (records != 1)
		return diag_fail(
			diags, DIAG_PLATFORM,
			"update the kernel (Linux 6.10, or a stable kernel of mid 2024 or later)",
			"this kernel lets a consumer corrupt records of a BPF ring buffer "
			"(CVE-2024-41009)");
	return 0;
}
