// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bundle_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t word;

#define WORDS (sizeof(struct bundle) / sizeof(word))

_Static_assert(sizeof(struct bundle) % sizeof(word) == 0, "it is made of whole words");

/* Of who made it. */
struct header {
	uint32_t format;
	uint32_t bundle_bytes;
};

/* So many words follow, which are there from `first` on. */
struct run {
	uint32_t first;
	uint32_t count;
};

static word word_of(const struct bundle *bundle, size_t number)
{
	word value;

	memcpy(&value, (const char *)bundle + number * sizeof(word), sizeof(value));
	return value;
}

/* The next words at or behind @p from that are not zero. 0 of them: there are none. */
static struct run next_run(const struct bundle *bundle, size_t from)
{
	size_t first = from, end;

	while (first < WORDS && !word_of(bundle, first))
		first++;
	end = first;
	while (end < WORDS && word_of(bundle, end))
		end++;
	return (struct run){(uint32_t)first, (uint32_t)(end - first)};
}

static size_t bytes_of(const struct run *run)
{
	return run->count * sizeof(word);
}

int bundle_image_make(const struct bundle *bundle, void **ret, uint32_t *ret_bytes)
{
	const struct header header = {BUNDLE_FORMAT, sizeof(*bundle)};
	size_t bytes = sizeof(header);
	struct run run;
	char *image, *at;

	for (run = next_run(bundle, 0); run.count; run = next_run(bundle, run.first + run.count))
		bytes += sizeof(run) + bytes_of(&run);
	if (bytes > BUNDLE_IMAGE_BYTES_MAX) {
		*ret = NULL;
		*ret_bytes = 0;
		return 0;
	}
	image = malloc(bytes);
	if (!image)
		return -ENOMEM;
	memcpy(image, &header, sizeof(header));
	at = image + sizeof(header);
	for (run = next_run(bundle, 0); run.count; run = next_run(bundle, run.first + run.count)) {
		memcpy(at, &run, sizeof(run));
		memcpy(at + sizeof(run), (const char *)bundle + run.first * sizeof(word),
		       bytes_of(&run));
		at += sizeof(run) + bytes_of(&run);
	}
	*ret = image;
	*ret_bytes = (uint32_t)bytes;
	return 0;
}

/* Take one run off. 0 or -EINVAL. */
static int read_run(const char **at, size_t *left, struct bundle *bundle)
{
	struct run run;

	if (*left < sizeof(run))
		return -EINVAL;
	memcpy(&run, *at, sizeof(run));
	*at += sizeof(run);
	*left -= sizeof(run);
	if (run.first > WORDS || run.count > WORDS - run.first || bytes_of(&run) > *left)
		return -EINVAL;
	memcpy((char *)bundle + run.first * sizeof(word), *at, bytes_of(&run));
	*at += bytes_of(&run);
	*left -= bytes_of(&run);
	return 0;
}

int bundle_image_read(const void *image, size_t bytes, struct bundle **ret)
{
	const char *at = (const char *)image + sizeof(struct header);
	size_t left = bytes - sizeof(struct header);
	struct bundle *bundle;
	struct header header;
	int err = 0;

	if (bytes < sizeof(header))
		return -EINVAL;
	memcpy(&header, image, sizeof(header));
	if (header.format != BUNDLE_FORMAT || header.bundle_bytes != sizeof(*bundle))
		return -EINVAL;
	bundle = calloc(1, sizeof(*bundle));
	if (!bundle)
		return -ENOMEM;
	while (!err && left)
		err = read_run(&at, &left, bundle);
	if (err)
		free(bundle);
	else
		*ret = bundle;
	return err;
}
