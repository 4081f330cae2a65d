/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A state with a member of every kind, for layout.user.c and function_layout_test.c. */
#ifndef FAAS_TESTS_LOADER_LAYOUT_H
#define FAAS_TESTS_LOADER_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

enum layout_color { LAYOUT_RED, LAYOUT_BLUE };
typedef struct {
	float latitude;
	double longitude;
} layout_place_t;

struct layout_state {
	uint64_t count;
	int16_t low;
	double mean;
	bool up;
	enum layout_color color;
	char name[12];
	uint8_t mac[6];
	int32_t table[2][3];
	layout_place_t place;
	struct {
		uint32_t sum;
		int8_t pair[2];
	} buckets[4];
	char words[2][5];
	unsigned int three : 3;
	int five : 5;
	uint64_t wide : 40;
	union {
		int integer;
		float real;
	} either;
	union {
		uint8_t first;
		uint16_t second;
	};
	struct {
		uint32_t inner;
	};
	const volatile uint32_t qualified;
	long double huge;
};

#endif
