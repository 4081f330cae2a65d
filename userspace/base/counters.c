// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "counters.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bundle.h"

#define CPUS_POSSIBLE "/sys/devices/system/cpu/possible"
#define CPUS_TEXT_BYTES 4096

size_t counters_meters_bytes(const struct bundle *bundle)
{
	size_t bytes = sizeof(struct faas_meters) +
		       bundle->kernel_count * sizeof(struct faas_function_meters);

	if (bundle->deadline_ns)
		bytes += bundle->trigger_count * sizeof(struct faas_shed_meters);
	return bytes;
}

uint32_t counters_last_cpu(const char *list)
{
	uint32_t last = 0;

	for (const char *at = list; *at; at++) {
		if (*at < '0' || *at > '9')
			continue;
		if (at == list || at[-1] < '0' || at[-1] > '9')
			last = 0;
		last = last * 10 + (uint32_t)(*at - '0');
	}
	return last;
}

uint32_t counters_cpus(void)
{
	char text[CPUS_TEXT_BYTES] = "";
	FILE *stream = fopen(CPUS_POSSIBLE, "re");

	/* libbpf_num_possible_cpus() says how many, which is less where numbers are
	 * left out. */
	if (stream && !fgets(text, sizeof(text), stream))
		text[0] = '\0';
	if (stream)
		fclose(stream);
	return counters_last_cpu(text) + 1;
}

int counters_size(struct bpf_object *object)
{
	static const struct {
		const char *map;
		uint32_t groups;
	} maps[] = {{FAAS_PIN_SLOT_COUNTERS, FAAS_SLOTS_MAX}, {FAAS_PIN_METERS, 1}};
	uint32_t cpus = counters_cpus();
	int error = 0;

	for (size_t i = 0; !error && i < sizeof(maps) / sizeof(maps[0]); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, maps[i].map);

		if (map)
			error = bpf_map__set_max_entries(map, cpus * maps[i].groups);
	}
	return error;
}

static int map_info(int fd, struct bpf_map_info *ret)
{
	uint32_t bytes = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return bpf_obj_get_info_by_fd(fd, ret, &bytes) ? -errno : 0;
}

/* Of the values, the first @p words. */
static int sum_words(int fd, const struct bpf_map_info *info, uint32_t groups, uint32_t group,
		     uint64_t *sum, size_t words)
{
	uint64_t *value = malloc(info->value_size);
	int error = value ? 0 : -ENOMEM;

	memset(sum, 0, words * sizeof(*sum));
	for (uint32_t key = group; !error && key < info->max_entries; key += groups) {
		if (bpf_map_lookup_elem(fd, &key, value))
			error = -errno;
		for (size_t i = 0; !error && i < words; i++)
			sum[i] += value[i];
	}
	free(value);
	return error;
}

int counters_sum(int fd, uint32_t groups, uint32_t group, void *ret, size_t bytes)
{
	struct bpf_map_info info;
	int error = map_info(fd, &info);

	if (!error && (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != bytes))
		error = -ESTALE;
	return error ? error : sum_words(fd, &info, groups, group, ret, bytes / sizeof(uint64_t));
}

int counters_meters(int fd, void *ret, size_t bytes)
{
	struct bpf_map_info info;
	int error = map_info(fd, &info);

	if (!error && (info.type != BPF_MAP_TYPE_ARRAY || info.value_size < bytes))
		error = -ESTALE;
	return error ? error : sum_words(fd, &info, 1, 0, ret, bytes / sizeof(uint64_t));
}

int counters_slot(int fd, uint32_t slot, struct faas_slot_counters *ret)
{
	return counters_sum(fd, FAAS_SLOTS_MAX, slot, ret, sizeof(*ret));
}

int counters_slot_clear(int fd, uint32_t slot)
{
	static const struct faas_slot_counters none;
	struct bpf_map_info info;
	int error = map_info(fd, &info);

	for (uint32_t key = slot; !error && key < info.max_entries; key += FAAS_SLOTS_MAX)
		if (bpf_map_update_elem(fd, &key, &none, BPF_EXIST))
			error = -errno;
	return error;
}
