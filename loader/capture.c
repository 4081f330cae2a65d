// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "capture.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <pcap/pcap.h>

/* What is called of libpcap. */
struct libpcap {
	void *handle;
	pcap_t *(*open)(const char *path, u_int precision, char *error);
	int (*next)(pcap_t *pcap, struct pcap_pkthdr **header, const u_char **data);
	int (*link_type)(pcap_t *pcap);
	const char *(*link_name)(int type);
	char *(*error)(pcap_t *pcap);
	void (*close)(pcap_t *pcap);
};

struct capture {
	struct libpcap library;
	pcap_t *pcap; /* NULL: one packet from the command line */
	const char *path;
	uint8_t *packet; /* owned; NULL once it was given out */
	uint8_t *given;
	uint32_t bytes;
	uint64_t count;
};

static void *find(void *library, const char *name, struct diags *diags)
{
	void *symbol = dlsym(library, name);

	if (!symbol)
		diag_fail(diags, DIAG_PLATFORM, "a newer libpcap is needed", "libpcap has no %s",
			  name);
	return symbol;
}

static int open_library(struct libpcap *library, struct diags *diags)
{
	static const char *const names[] = {"libpcap.so.0.8", "libpcap.so.1"};

	for (size_t i = 0; !library->handle && i < sizeof(names) / sizeof(names[0]); i++)
		library->handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (!library->handle) {
		diag_fail(diags, DIAG_PLATFORM, "install it (Debian: libpcap0.8)",
			  "reading captures needs libpcap: %s", dlerror());
		return -1;
	}
#define FIND(member, name) (library->member = find(library->handle, name, diags)) == NULL
	if (FIND(open, "pcap_open_offline_with_tstamp_precision") || FIND(next, "pcap_next_ex") ||
	    FIND(link_type, "pcap_datalink") ||
	    FIND(link_name, "pcap_datalink_val_to_description") || FIND(error, "pcap_geterr") ||
	    FIND(close, "pcap_close"))
		return -1;
#undef FIND
	return 0;
}

int capture_open(const char *path, struct capture **ret, struct diags *diags)
{
	struct capture *capture = calloc(1, sizeof(*capture));
	char error[PCAP_ERRBUF_SIZE] = "";
	int type;

	if (!capture)
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	capture->path = path;
	if (open_library(&capture->library, diags))
		goto failed;
	capture->pcap = capture->library.open(path, PCAP_TSTAMP_PRECISION_NANO, error);
	if (!capture->pcap) {
		bool named = !strncmp(error, path, strlen(path)); /* as for some errors */

		diag_fail(diags, DIAG_NOT_FOUND, "a pcap or pcapng file is needed", "%s%s%s",
			  named ? "" : path, named ? "" : ": ", error);
		goto failed;
	}
	type = capture->library.link_type(capture->pcap);
	if (type != DLT_EN10MB) {
		const char *name = capture->library.link_name(type);

		diag_fail(diags, DIAG_FAILED,
			  "capture on the interface itself, not on `any` or a tunnel",
			  "the packets of %s do not begin with an Ethernet header but are of type "
			  "%d (%s)",
			  path, type, name ? name : "unknown");
		goto failed;
	}
	*ret = capture;
	return 0;
failed:
	capture_close(capture);
	return -1;
}

static int digit(char c)
{
	const char *digits = "0123456789abcdef", *at = strchr(digits, tolower((unsigned char)c));

	return c && at ? (int)(at - digits) : -1;
}

int capture_hex(const char *text, struct capture **ret, struct diags *diags)
{
	const char *from = strncmp(text, "0x", 2) ? text : text + 2;
	struct capture *capture = calloc(1, sizeof(*capture));
	size_t digits = 0;

	if (capture)
		capture->packet = calloc(1, strlen(text) / 2 + 1);
	if (!capture || !capture->packet) {
		capture_close(capture);
		return diag_fail(diags, DIAG_FAILED, NULL, "out of memory");
	}
	for (; *from; from++) {
		int value = digit(*from);

		if (isspace((unsigned char)*from) || *from == ':')
			continue;
		if (value < 0) {
			capture_close(capture);
			return diag_fail(diags, DIAG_USAGE,
					 "give a whole frame in hexadecimal, Ethernet header first",
					 "--packet: no hexadecimal digit at \"%.8s\"", from);
		}
		capture->packet[digits / 2] =
			(uint8_t)(capture->packet[digits / 2] << 4 | (uint8_t)value);
		digits++;
	}
	if (!digits || digits % 2 || digits / 2 > CAPTURE_HEX_BYTES_MAX) {
		capture_close(capture);
		return diag_fail(diags, DIAG_USAGE, "two digits make a byte",
				 "--packet: %zu hexadecimal digits", digits);
	}
	capture->bytes = (uint32_t)(digits / 2);
	*ret = capture;
	return 0;
}

int capture_next(struct capture *capture, struct capture_packet *ret, struct diags *diags)
{
	struct pcap_pkthdr *header;
	const u_char *data;
	int result;

	if (!capture->pcap) {
		if (!capture->packet)
			return 0;
		*ret = (struct capture_packet){capture->packet, capture->bytes, capture->bytes, 0};
		capture->given = capture->packet;
		capture->packet = NULL;
		return 1;
	}
	result = capture->library.next(capture->pcap, &header, &data);
	if (result == PCAP_ERROR_BREAK)
		return 0;
	if (result != 1)
		return diag_fail(diags, DIAG_FAILED, NULL, "%s: after packet %llu: %s",
				 capture->path, (unsigned long long)capture->count,
				 capture->library.error(capture->pcap));
	capture->count++;
	*ret = (struct capture_packet){
		.data = data,
		.bytes = header->caplen,
		.wire_bytes = header->len,
		/* Asked for nanoseconds, libpcap has them where a timeval has
		 * microseconds. */
		.time_ns = (uint64_t)header->ts.tv_sec * 1000000000u + (uint64_t)header->ts.tv_usec,
	};
	return 1;
}

void capture_close(struct capture *capture)
{
	if (!capture)
		return;
	if (capture->pcap)
		capture->library.close(capture->pcap);
	if (capture->library.handle)
		dlclose(capture->library.handle);
	free(capture->packet);
	free(capture->given);
	free(capture);
}
