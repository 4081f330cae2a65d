// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* ebpf-faas version */
#include <stdio.h>
#include <sys/utsname.h>

#include <bpf/libbpf.h>
#include <jansson.h>

#include "command.h"
#include "output.h"

int verb_version(const struct options *options, struct diags *diags)
{
	struct utsname kernel = {.release = "unknown", .machine = "unknown"};

	(void)diags;
	uname(&kernel);
	if (options->json)
		output_json(json_pack("{s:s, s:s, s:s, s:s}", "version", FAAS_VERSION, "libbpf",
				      libbpf_version_string(), "kernel", kernel.release, "machine",
				      kernel.machine));
	else
		printf("ebpf-faas %s\nlibbpf %s\nkernel %s %s\n", FAAS_VERSION,
		       libbpf_version_string(), kernel.release, kernel.machine);
	return 0;
}
