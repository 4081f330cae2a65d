// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "suggest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define WORD_CHARS_MAX 64 /* longer ones are no typing mistakes */

static unsigned int smaller(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Letters to insert, delete, replace or swap with their neighbour to make one
 * word the other ("optimal string alignment"). */
static unsigned int distance(const char *a, size_t a_chars, const char *b, size_t b_chars)
{
	unsigned int rows[3][WORD_CHARS_MAX + 1];

	for (size_t k = 0; k <= b_chars; k++)
		rows[0][k] = (unsigned int)k;
	for (size_t i = 1; i <= a_chars; i++) {
		unsigned int *row = rows[i % 3], *above = rows[(i + 2) % 3];
		const unsigned int *before = rows[(i + 1) % 3];

		row[0] = (unsigned int)i;
		for (size_t k = 1; k <= b_chars; k++) {
			row[k] = smaller(above[k - 1] + (a[i - 1] != b[k - 1]),
					 smaller(above[k], row[k - 1]) + 1);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				row[k] = smaller(row[k], before[k - 2] + 1);
		}
	}
	return rows[a_chars % 3][b_chars];
}

const char *suggest_word(const char *word, const char *const words[], size_t count)
{
	size_t chars = strlen(word);
	/* A third of the letters, and one even in a short word. */
	unsigned int best = (unsigned int)chars / 3 + 1;
	const char *nearest = NULL;

	if (!chars || chars > WORD_CHARS_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t other = strlen(words[i]);
		unsigned int far;

		if (other > WORD_CHARS_MAX)
			continue;
		far = distance(word, chars, words[i], other);
		/* Nothing in common is not near. */
		if (far > best || far >= other || far >= chars || (nearest && far == best))
			continue;
		best = far;
		nearest = words[i];
	}
	return nearest;
}

void suggest_advice(const char *word, const char *const words[], size_t count, const char *what,
		    char *ret, size_t bytes)
{
	const char *nearest = suggest_word(word, words, count);
	size_t used;

	ret[0] = '\0';
	if (nearest) {
		snprintf(ret, bytes, "did you mean `%s`?", nearest);
		return;
	}
	if (!count)
		return;
	snprintf(ret, bytes, "%s:", what);
	for (size_t i = 0; i < count; i++) {
		used = strlen(ret);
		if (used + strlen(words[i]) + 8 > bytes) {
			snprintf(ret + used, bytes - used, " ...");
			return;
		}
		snprintf(ret + used, bytes - used, "%s%s", i ? ", " : " ", words[i]);
	}
}
