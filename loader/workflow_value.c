// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "workflow_value.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *suffix;
	uint64_t times;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit million[] = {{"", FAAS_DECIMAL_ONE}, {NULL, 0}};
static const struct unit bytes_units[] = {
	{"", 1},  {"Ki", 1ull << 10}, {"Mi", 1ull << 20}, {"Gi", 1ull << 30}, {"Ti", 1ull << 40},
	{NULL, 0}};
static const struct unit duration_units[] = {{"ns", 1},
					     {"us", 1000},
					     {"ms", 1000000},
					     {"s", 1000000000ull},
					     {"m", 60000000000ull},
					     {"h", 3600000000000ull},
					     {"d", 86400000000000ull},
					     {NULL, 0}};

/* With 20 digits and the largest unit, 128 bits do not overflow. */
#define DIGITS_MAX 20

struct number {
	bool negative;
	unsigned __int128 digits; /* without the point */
	unsigned int fraction;	  /* of them, behind the point */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* [-]DIGITS[.DIGITS]; *ret_rest is what follows. */
static int read_number(const char *text, struct number *ret, const char **ret_rest)
{
	struct number number = {0};
	unsigned int digits = 0;
	bool point = false;

	if (*text == '-') {
		number.negative = true;
		text++;
	}
	if (!is_digit(*text))
		return -EINVAL;
	for (; is_digit(*text) || (*text == '.' && !point && is_digit(text[1])); text++) {
		if (*text == '.') {
			point = true;
			continue;
		}
		if (number.digits && ++digits > DIGITS_MAX - 1)
			return point ? -EDOM : -ERANGE;
		number.digits = number.digits * 10 + (unsigned int)(*text - '0');
		number.fraction += point;
		if (number.fraction > DIGITS_MAX)
			return -EDOM;
	}
	*ret = number;
	*ret_rest = text;
	return 0;
}

/* Magnitude in the unit's smallest step. */
static int scale(const struct number *number, const struct unit *units, const char *suffix,
		 uint64_t *ret)
{
	unsigned __int128 value, divisor = 1;

	while (units->suffix && strcmp(units->suffix, suffix))
		units++;
	/* 0 is 0 in any unit, so it needs none. */
	if (!units->suffix && (number->digits || *suffix))
		return -EINVAL;
	value = number->digits * units->times;
	for (unsigned int i = 0; i < number->fraction; i++)
		divisor *= 10;
	if (value % divisor)
		return -EDOM;
	value /= divisor;
	if (value > UINT64_MAX)
		return -ERANGE;
	*ret = (uint64_t)value;
	return 0;
}

static int parse_hexadecimal(const char *text, uint64_t *ret)
{
	uint64_t value = 0;

	if (!text[2])
		return -EINVAL;
	for (text += 2; *text; text++) {
		const char *digits = "0123456789abcdef0123456789ABCDEF",
			   *at = strchr(digits, *text);

		if (!at)
			return -EINVAL;
		if (value >> 60)
			return -ERANGE;
		value = value << 4 | (uint64_t)((at - digits) & 15);
	}
	*ret = value;
	return 0;
}

static int parse_scaled(const char *text, const struct unit *units, bool is_signed, int64_t *ret)
{
	struct number number;
	const char *rest;
	uint64_t magnitude;
	int err;

	err = read_number(text, &number, &rest);
	if (!err)
		err = scale(&number, units, rest, &magnitude);
	if (err)
		return err;
	if (!is_signed && number.negative && magnitude)
		return -ERANGE;
	if (is_signed && magnitude > (uint64_t)INT64_MAX + number.negative)
		return -ERANGE;
	*ret = (int64_t)(number.negative ? 0 - magnitude : magnitude);
	return 0;
}

static int parse_whole(const char *text, bool is_signed, int64_t *ret)
{
	uint64_t value;
	int err;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		err = parse_hexadecimal(text, &value);
		if (!err && is_signed && value > INT64_MAX)
			err = -ERANGE;
		if (!err)
			*ret = (int64_t)value;
		return err;
	}
	if (strchr(text, '.'))
		return -EINVAL;
	return parse_scaled(text, no_units, is_signed, ret);
}

/* strtod() alone would take hexadecimal, infinities and leading blanks. */
static int parse_real(const char *text, double *ret)
{
	const char *at = text;
	double value;

	at += *at == '-';
	if (!is_digit(*at))
		return -EINVAL;
	while (is_digit(*at))
		at++;
	if (*at == '.' && is_digit(at[1]))
		for (at++; is_digit(*at);)
			at++;
	if (*at == 'e' || *at == 'E') {
		at++;
		at += *at == '-' || *at == '+';
		if (!is_digit(*at))
			return -EINVAL;
		while (is_digit(*at))
			at++;
	}
	if (*at)
		return -EINVAL;
	value = strtod(text, NULL);
	if (!isfinite(value))
		return -ERANGE;
	*ret = value;
	return 0;
}

static int parse_bool(const char *text, int64_t *ret)
{
	if (strcmp(text, "true") && strcmp(text, "false"))
		return -EINVAL;
	*ret = text[0] == 't';
	return 0;
}

int value_parse(enum bundle_param_type type, const char *text, struct value *ret)
{
	struct value value = {0};
	int err = -EINVAL;

	switch (type) {
	case PARAM_U32:
		err = parse_whole(text, false, &value.integer);
		if (!err && (uint64_t)value.integer > UINT32_MAX)
			err = -ERANGE;
		break;
	case PARAM_U64:
		err = parse_whole(text, false, &value.integer);
		break;
	case PARAM_S64:
		err = parse_whole(text, true, &value.integer);
		break;
	case PARAM_BOOL:
		err = parse_bool(text, &value.integer);
		break;
	case PARAM_DURATION:
		err = parse_scaled(text, duration_units, false, &value.integer);
		break;
	case PARAM_BYTES:
		err = parse_scaled(text, bytes_units, false, &value.integer);
		break;
	case PARAM_DECIMAL:
		err = parse_scaled(text, million, true, &value.integer);
		break;
	case PARAM_F64:
		err = parse_real(text, &value.real);
		break;
	case PARAM_CHOICE:
	case PARAM_SET:
	case PARAM_FILE:
	case PARAM_TRIGGER:
	case PARAM_LAYOUT:
		break;
	}
	if (!err)
		*ret = value;
	return err;
}

const char *value_example(enum bundle_param_type type)
{
	switch (type) {
	case PARAM_U32:
	case PARAM_U64:
		return "a whole number from 0 on, such as 4 or 0x1f";
	case PARAM_S64:
		return "a whole number such as -4";
	case PARAM_BOOL:
		return "true or false";
	case PARAM_DURATION:
		return "a duration with its unit (ns, us, ms, s, m, h, d), such as 500ms";
	case PARAM_BYTES:
		return "a number of bytes, such as 512, 16Ki, 64Mi or 1Gi";
	case PARAM_DECIMAL:
		return "a number with at most 6 digits after the point, such as -0.5";
	case PARAM_F64:
		return "a number such as 0.1 or 1e-6";
	case PARAM_CHOICE:
		return "one word";
	case PARAM_SET:
		return "a list of words";
	case PARAM_FILE:
		return "the path of a file";
	case PARAM_TRIGGER:
		return "the name of a trigger";
	case PARAM_LAYOUT:
		return "a list such as [{name: level, offset: 4, type: u16be}]";
	}
	return "something else";
}

void value_explain(enum bundle_param_type type, int error, char *ret, size_t bytes)
{
	const char *name = bundle_param_type_name(type);

	if (error == -ERANGE)
		snprintf(ret, bytes, "is beyond what a %s can hold", name);
	else if (error == -EDOM)
		snprintf(ret, bytes, "is finer than a %s can tell", name);
	else
		snprintf(ret, bytes, "is not %s", value_example(type));
}

static int order(bool less, bool more)
{
	return (int)more - (int)less;
}

int value_compare(enum bundle_param_type type, const struct value *a, const struct value *b)
{
	if (type == PARAM_F64)
		return order(a->real<b->real, a->real> b->real);
	if (type == PARAM_S64 || type == PARAM_DECIMAL)
		return order(a->integer<b->integer, a->integer> b->integer);
	return order((uint64_t)a->integer<(uint64_t)b->integer, (uint64_t)a->integer>(uint64_t)
			     b->integer);
}
