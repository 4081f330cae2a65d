// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* States that are put into a workflow: passed on to its worker, piece by piece. */
#include <errno.h>
#include <string.h>

#include "import.h"
#include "userspace/control/runtime.h"

static int nibble(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Returns the bytes that it has, 0: it is no piece. */
static size_t decode(const json_t *piece, uint8_t *to)
{
	const char *hex = json_string_value(piece);
	size_t bytes = json_string_length(piece) / 2;

	if (!hex || json_string_length(piece) % 2 || bytes < sizeof(struct import_head) ||
	    bytes > IMPORT_BYTES_MAX)
		return 0;
	for (size_t i = 0; i < bytes; i++) {
		int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return 0;
		to[i] = (uint8_t)(high << 4 | low);
	}
	return memcmp(to, IMPORT_WORD, sizeof(IMPORT_WORD)) != 0 &&
			       memcmp(to, REPLAY_WORD, sizeof(REPLAY_WORD)) != 0
		       ? 0
		       : bytes;
}

void workflow_import(struct workflow *workflow, uint64_t client, const json_t *piece)
{
	struct control_server *server = workflow->runtime->server;
	uint64_t message[(IMPORT_BYTES_MAX + 7) / 8];
	size_t bytes = decode(piece, (uint8_t *)message);
	int err;

	if (!bytes) {
		control_server_refuse(server, client, NULL,
				      "\"piece\" must be a piece of states in hexadecimal");
		return;
	}
	err = supervisor_import(&workflow->supervisor, message, bytes);
	if (err)
		control_server_refuse(server, client, "try again",
				      err == -EBUSY
					      ? "somebody else imports states into workflow %s"
					      : "workflow %s has no worker at this moment",
				      workflow->supervisor.name);
	else
		workflow->importer = client;
}

void workflow_imported(struct supervisor *supervisor, const char *reason)
{
	struct workflow *workflow = loop_container(supervisor, struct workflow, supervisor);
	struct control_server *server = workflow->runtime->server;
	uint64_t client = workflow->importer;

	workflow->importer = 0;
	if (!client)
		return;
	if (reason && !strcmp(reason, IMPORT_ENDED))
		control_server_refuse(server, client, NULL, IMPORT_ENDED);
	else if (reason)
		control_server_refuse(server, client, NULL, IMPORT_REFUSED ": %s", reason);
	else
		control_server_answer(server, client, json_pack("{s:b}", "ok", 1));
}
