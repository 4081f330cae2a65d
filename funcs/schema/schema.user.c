// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * schema: the numbers of a payload by their names. See README.md. Where they stand
 * is a parameter, and so are the fields of the output.
 */
#include <ebpf_faas/user.h>

#include <stdbool.h>
#include <string.h>

FAAS_USER_FUNCTION("Decodes payloads of a fixed layout into fields");
FAAS_PARAM_LAYOUT(layout, "The fields: name, offset, type, and scale, unit, bit, bits");
FAAS_OUTPUT(decoded, "The payload has all fields");
FAAS_OUTPUT(undecoded, "It is too short for one, or begins in the middle of a message");
FAAS_OUTPUT_FIELDS(decoded, layout);

/* The number's bytes, the first the most significant, as one integer. */
static uint64_t assemble(const uint8_t *at, unsigned int bytes, bool little_endian)
{
	uint64_t raw = 0;

	for (unsigned int i = 0; i < bytes; i++)
		raw = raw << 8 | at[little_endian ? bytes - 1 - i : i];
	return raw;
}

static double to_real(uint64_t raw, unsigned int bytes)
{
	uint32_t half = (uint32_t)raw;
	float single;
	double wide;

	if (bytes == sizeof(single)) {
		memcpy(&single, &half, sizeof(single));
		return (double)single;
	}
	memcpy(&wide, &raw, sizeof(wide));
	return wide;
}

/* The low @p bits of @p raw as a signed number. */
static int64_t sign_extend(uint64_t raw, unsigned int bits)
{
	uint64_t sign = 1ull << (bits - 1);

	return (int64_t)((raw ^ sign) - sign);
}

static struct faas_value value_of(const struct faas_layout_field *field, const uint8_t *payload)
{
	unsigned int bytes = faas_layout_bytes(field->type), bits = 8 * bytes;
	bool is_signed = faas_layout_is_signed(field->type);
	double factor = field->scale ? (double)field->scale / FAAS_DECIMAL_ONE : 1;
	struct faas_value value;
	uint64_t raw =
		assemble(payload + field->offset, bytes, faas_layout_is_little_endian(field->type));

	if (faas_layout_is_real(field->type)) {
		value.f64 = to_real(raw, bytes) * factor;
		return value;
	}
	if (field->bit_count) {
		bits = field->bit_count;
		raw = raw >> field->first_bit & ((1ull << bits) - 1);
	}
	value.u64 = raw;
	if (is_signed)
		value.s64 = sign_extend(raw, bits);
	if (field->field_type == FAAS_FIELD_DECIMAL)
		value.s64 *= field->scale; /* at most 32 bits: it fits */
	else if (field->field_type == FAAS_FIELD_F64)
		value.f64 = (is_signed ? (double)value.s64 : (double)value.u64) * factor;
	return value;
}

int faas_on_event(struct faas_call *call, const struct faas_event *event, void *state)
{
	const struct faas_layout *layout = &faas_param(layout);
	const uint8_t *payload = faas_event_payload(event);
	struct faas_value values[FAAS_FIELDS_MAX];

	(void)state;
	if (event->flags & FAAS_EVENT_FRAGMENT)
		return faas_emit(call, faas_output(undecoded), NULL, 0);
	for (uint32_t i = 0; i < layout->count; i++) {
		const struct faas_layout_field *field = &layout->fields[i];

		if (field->offset + faas_layout_bytes(field->type) > event->payload_bytes)
			return faas_emit(call, faas_output(undecoded), NULL, 0);
		values[i] = value_of(field, payload);
	}
	return faas_emit(call, faas_output(decoded), values, layout->count);
}
