// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The control socket against any message, over a real connection: each is answered once, by
 * a JSON object that says whether it is well, or the connection ends. What is taken up has
 * the form of an operation, and a name that may become part of a path.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ebpf_faas/limits.h>

#include "bundle_names.h"
#include "control_client.h"
#include "userspace/control/control_server.h"
#include "userspace/control/request_form.h"

static const struct request_form forms[] = {
	{"hello", NULL, false, {0}},
	{"list", NULL, false, {"after"}},
	{"status", NULL, true, {0}},
	{"start", NULL, true, {"generation", "slot", "netns", "keep"}},
	{"import", NULL, true, {"generation", "piece"}},
};
static const char *const readable[] = {"hello", "list", "status", NULL};

static struct control_server *server;
static struct loop loop;
static char path[64];

static void on_request(void *context, uint64_t client, const json_t *message)
{
	struct request_refusal refusal;
	struct request_checked checked;

	(void)context;
	if (request_check(message, forms, sizeof(forms) / sizeof(forms[0]), readable, &checked,
			  &refusal)) {
		control_server_refuse(server, client, refusal.advice, "%s", refusal.error);
		return;
	}
	if (checked.form == &forms[3] || checked.form == &forms[4])
		abort(); /* not for those who only look */
	if (!checked.workflow != !checked.form->about_workflow ||
	    (checked.workflow && !bundle_name_valid(checked.workflow)))
		abort();
	control_server_answer(server, client, json_pack("{s:b}", "ok", 1));
}

static void remove_socket(void)
{
	(void)unlink(path);
}

static void open_server(void)
{
	const struct control_handler handler = {.request = on_request};
	const struct control_peers peers = {.owner = getuid()};

	snprintf(path, sizeof(path), "/tmp/request_fuzz-%d.sock", (int)getpid());
	if (loop_open(&loop) || control_server_open(&loop, path, &peers, &handler, &server))
		abort();
	atexit(remove_socket);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static char text[FAAS_CONTROL_MESSAGE_BYTES_MAX];
	struct control control = {.fd = -1};
	json_t *answer;
	ssize_t got = -1;

	if (!server)
		open_server();
	if (!bytes || bytes > FAAS_CONTROL_MESSAGE_BYTES_MAX + 1)
		return 0;
	if (control_connect(path, &control) ||
	    send(control.fd, data, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
		abort();
	for (int i = 0; i < 8 && got < 0; i++) {
		if (loop_step(&loop, 0) < 0)
			abort();
		got = recv(control.fd, text, sizeof(text), MSG_DONTWAIT);
	}
	if (got <= 0)
		abort(); /* a message is worth an answer, whatever it says */
	answer = json_loadb(text, (size_t)got, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_boolean(json_object_get(answer, "ok")))
		abort();
	json_decref(answer);
	control_close(&control);
	while (loop_step(&loop, 0) > 0)
		;
	return 0;
}
