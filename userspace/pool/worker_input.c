// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Inputs: fields that a function reads from its events, whoever set them. */
#include "worker.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Find every field of the input's name, in the kernel tier and in the outputs
 * of the functions before this one. */
void worker_set_inputs(const struct worker *worker, struct worker_function *function,
		       const struct bundle_function *description)
{
	const struct bundle *bundle = worker->bundle;

	function->input_count = (uint8_t)description->input_count;
	for (uint32_t i = 0; i < description->input_count; i++) {
		struct worker_input *input = &function->inputs[i];
		const char *name = description->inputs[i];

		/* Kernel functions stand in topological order, their fields too. */
		for (uint32_t k = bundle->kernel_field_count; k-- > 0;)
			if (!strcmp(bundle->kernel_fields[k].field.name, name))
				input->kernel_fields[input->kernel_field_count++] = (uint8_t)k;
		for (uint32_t u = 0; u < function->number; u++) {
			for (uint32_t o = 0; o < bundle->user[u].output_count; o++) {
				const struct bundle_output *output = &bundle->user[u].outputs[o];

				for (uint32_t f = 0; f < output->field_count; f++)
					if (!strcmp(output->fields[f].name, name))
						input->fields[u][o] = (uint8_t)(f + 1);
			}
		}
	}
}

/* Find an input: the emissions that led here, nearest first, then the kernel's
 * fields. */
static int find_input(const struct faas_call *call, const struct faas_event *event,
		      unsigned int number, struct faas_value *ret, enum faas_field_type *ret_type)
{
	const struct worker *worker = call->worker;
	const struct worker_input *input;

	if (number >= call->function->input_count)
		return -ENODATA;
	input = &call->function->inputs[number];
	for (int i = call->emission; i >= 0; i = worker->run.emissions[i].parent) {
		const struct worker_emission *emission = &worker->run.emissions[i];
		uint8_t field = input->fields[emission->function][emission->output];

		if (!field)
			continue;
		*ret = emission->values[field - 1];
		*ret_type = worker->functions[emission->function]
				    .outputs[emission->output]
				    .types[field - 1];
		return 0;
	}
	for (unsigned int i = 0; i < input->kernel_field_count; i++) {
		uint8_t field = input->kernel_fields[i];

		if (!(event->fields_present >> field & 1))
			continue;
		ret->u64 = faas_event_fields(event)[field];
		*ret_type = worker->bundle->kernel_fields[field].field.type;
		return 0;
	}
	return -ENODATA;
}

static int input_f64(struct faas_call *call, const struct faas_event *event, unsigned int input,
		     double *ret)
{
	enum faas_field_type type;
	struct faas_value value;
	int err;

	err = find_input(call, event, input, &value, &type);
	if (err)
		return err;
	switch (type) {
	case FAAS_FIELD_U64:
		*ret = (double)value.u64;
		return 0;
	case FAAS_FIELD_S64:
		*ret = (double)value.s64;
		return 0;
	case FAAS_FIELD_F64:
		*ret = value.f64;
		return 0;
	case FAAS_FIELD_DECIMAL:
		*ret = (double)value.s64 / FAAS_DECIMAL_ONE;
		return 0;
	}
	return -ENODATA;
}

/* The nearest integer towards zero that an s64 has; a NaN has none. */
static int truncate_f64(double value, int64_t *ret)
{
	if (isnan(value))
		return -ENODATA;
	if (value >= 0x1p63)
		*ret = INT64_MAX;
	else if (value <= -0x1p63)
		*ret = INT64_MIN;
	else
		*ret = (int64_t)value;
	return 0;
}

static int input_s64(struct faas_call *call, const struct faas_event *event, unsigned int input,
		     int64_t *ret)
{
	enum faas_field_type type;
	struct faas_value value;
	int err;

	err = find_input(call, event, input, &value, &type);
	if (err)
		return err;
	switch (type) {
	case FAAS_FIELD_U64:
		*ret = value.u64 > INT64_MAX ? INT64_MAX : (int64_t)value.u64;
		return 0;
	case FAAS_FIELD_S64:
		*ret = value.s64;
		return 0;
	case FAAS_FIELD_F64:
		return truncate_f64(value.f64, ret);
	case FAAS_FIELD_DECIMAL:
		*ret = value.s64 / FAAS_DECIMAL_ONE;
		return 0;
	}
	return -ENODATA;
}

int faas_input_f64(struct faas_call *call, unsigned int input, double *ret)
{
	return input_f64(call, call->worker->run.event, input, ret);
}

int faas_input_s64(struct faas_call *call, unsigned int input, int64_t *ret)
{
	return input_s64(call, call->worker->run.event, input, ret);
}

int faas_input_f64_for(struct faas_call *call, unsigned int index, unsigned int input, double *ret)
{
	const struct faas_event *event = worker_gathered_event(call, index);

	return event ? input_f64(call, event, input, ret) : -EINVAL;
}

int faas_input_s64_for(struct faas_call *call, unsigned int index, unsigned int input, int64_t *ret)
{
	const struct faas_event *event = worker_gathered_event(call, index);

	return event ? input_s64(call, event, input, ret) : -EINVAL;
}
