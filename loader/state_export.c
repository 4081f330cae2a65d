// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ebpf-faas state export: all keys of one user function as JSON lines, for import. The
 * first line says what they are of, the last how many they are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bundle_state.h"
#include "clock.h"
#include "output.h"
#include "state_file.h"
#include "state_key.h"
#include "state_value.h"
#include "user_state.h"

struct exporting {
	const struct user_state *state;
	struct diags *diags;
	FILE *out;
	uint64_t keys;
};

/* Takes @p line. */
static int write_line(const struct exporting *export, json_t *line)
{
	if (!line)
		return diag_fail(export->diags, DIAG_FAILED, NULL, "out of memory");
	state_value_write(line, export->out);
	fputc('\n', export->out);
	json_decref(line);
	return 0;
}

static json_t *head(const struct user_state *state)
{
	const struct bundle_function *function = state->function;
	char parts[160], now[32] = "";
	time_t seconds = time(NULL);
	struct tm time;

	state_key_parts(function, parts, sizeof(parts));
	if (gmtime_r(&seconds, &time))
		strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", &time);
	return json_pack("{s:i, s:s, s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:o}",
			 STATE_FILE_FORMAT_KEY, STATE_FILE_FORMAT, "workflow", state->bundle->name,
			 "function", function->instance, "library", function->function,
			 "generation", (json_int_t)state->generation, "time", now, "key", parts,
			 "version", (json_int_t)function->state_version, "bytes",
			 (json_int_t)function->state_bytes, "fields", bundle_state_print(function));
}

static int visit_write(void *context, const struct stateview_entry *entry)
{
	struct exporting *export = context;

	export->keys++;
	return write_line(export, user_state_entry(export->state, entry, clock_monotonic_ns()));
}

int state_export(const struct options *options, struct diags *diags)
{
	struct exporting export = {.diags = diags};
	struct user_state state;
	int error = -1;

	if (user_state_open(options->arguments[1], options->arguments[2], &state, diags))
		return -1;
	export.state = &state;
	/* A file that ends in the middle would look like one. */
	export.out = output_spool(diags);
	if (export.out && !write_line(&export, head(&state)) &&
	    !user_state_each(&state, visit_write, &export, diags) &&
	    !write_line(&export, json_pack("{s:I}", STATE_FILE_END_KEY, (json_int_t) export.keys)))
		error = output_spooled(export.out, diags);
	if (export.out)
		fclose(export.out);
	user_state_close(&state);
	return error;
}
