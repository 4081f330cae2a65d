// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "timer_report.h"

#include <stdio.h>

#include "workflow_value.h"

json_t *timer_report(const struct bundle *bundle)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < bundle->timer_count; i++) {
		const struct bundle_timer *timer = &bundle->timers[i];
		struct value every = {.integer = (int64_t)timer->every_ns};
		char written[FAAS_VALUE_BYTES];

		value_print(PARAM_DURATION, &every, written, sizeof(written));
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:I, s:s}", "trigger", timer->name, "function",
					bundle->user[timer->function].instance, "every_ns",
					(json_int_t)timer->every_ns, "every", written));
	}
	return list;
}

void timer_report_print(const json_t *timers, const char *indent)
{
	json_t *timer;
	size_t i;

	json_array_foreach (timers, i, timer)
		printf("%stimer %s: %s every %s\n", indent,
		       json_string_value(json_object_get(timer, "trigger")),
		       json_string_value(json_object_get(timer, "function")),
		       json_string_value(json_object_get(timer, "every")));
}
