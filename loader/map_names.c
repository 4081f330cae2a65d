// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "map_names.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CHARS (MAP_NAME_BYTES - 1)
#define MAP_CHARS 8 /* of the map's own name */

static bool is_taken(const struct map_names *names, const char *name)
{
	for (unsigned int i = 0; i < names->count; i++)
		if (!strcmp(names->list[i].name, name))
			return true;
	return false;
}

/* Cut the instance's part, keep the map's part where it fits, and number what would
 * collide. */
const char *map_names_add(struct map_names *names, const char *instance, const char *map)
{
	int map_chars = (int)strlen(map), instance_chars = (int)strlen(instance);
	struct map_name *entry;

	if (names->count == MAP_NAMES_MAX)
		return NULL;
	entry = &names->list[names->count];
	snprintf(entry->instance, sizeof(entry->instance), "%s", instance);
	snprintf(entry->map, sizeof(entry->map), "%s", map);
	if (map_chars > MAP_CHARS)
		map_chars = MAP_CHARS;
	if (instance_chars > CHARS - 1 - map_chars)
		instance_chars = CHARS - 1 - map_chars;
	snprintf(entry->name, sizeof(entry->name), "%.*s_%.*s", instance_chars, instance, map_chars,
		 map);
	for (unsigned int number = 2; is_taken(names, entry->name); number++) {
		int keep = number < 10 ? CHARS - 2 : CHARS - 3;
		char stem[MAP_NAME_BYTES];

		snprintf(stem, sizeof(stem), "%.*s_%.*s", instance_chars, instance, map_chars, map);
		snprintf(entry->name, sizeof(entry->name), "%.*s_%u", keep, stem, number);
	}
	names->count++;
	return entry->name;
}
