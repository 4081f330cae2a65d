// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sends frames that are described on the command line, through an AF_PACKET socket:
 *
 *   frames --interface NAME [--count N] FRAME...
 *
 * FRAME is a list of words with commas between them; `udp` alone is a datagram from
 * 10.20.0.7:40000 to 10.20.0.1:5005:
 *
 *   udp tcp proto=N icmp=TYPE icmp6=TYPE   what is in the IP packet
 *   from=ADDRESS to=ADDRESS                IPv6 if there is a colon in it
 *   sport=N dport=N vlan=N ethertype=N
 *   bytes=N fragment=N                     payload; a later fragment, in units of 8 bytes
 *
 * Each is sent N times. Exit status 1: one could not be sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"
#include "pace.h"

struct description {
	struct frame_spec spec;
	uint8_t payload[9000];
};

static void fail(const char *what, const char *value)
{
	fprintf(stderr, "frames: %s `%s`\n", what, value);
	exit(2);
}

static uint32_t number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 0);

	if (!*text || *end || value > UINT32_MAX)
		fail("not a number:", text);
	return (uint32_t)value;
}

static void set_icmp(struct description *frame, uint8_t protocol, const char *type)
{
	frame->spec.protocol = protocol;
	frame->spec.ip_version = protocol == IPPROTO_ICMP ? 4 : 6;
	frame->payload[0] = (uint8_t)number(type);
	frame->spec.payload_bytes = 16;
}

static void set_address(struct description *frame, const char **address, const char *value)
{
	*address = value;
	if (strchr(value, ':'))
		frame->spec.ip_version = 6;
}

static void set(struct description *frame, const char *word, const char *value)
{
	struct frame_spec *spec = &frame->spec;

	if (!strcmp(word, "udp"))
		spec->protocol = IPPROTO_UDP;
	else if (!strcmp(word, "tcp"))
		spec->protocol = IPPROTO_TCP;
	else if (!strcmp(word, "proto"))
		spec->protocol = (uint8_t)number(value);
	else if (!strcmp(word, "icmp"))
		set_icmp(frame, IPPROTO_ICMP, value);
	else if (!strcmp(word, "icmp6"))
		set_icmp(frame, IPPROTO_ICMPV6, value);
	else if (!strcmp(word, "from"))
		set_address(frame, &spec->source, value);
	else if (!strcmp(word, "to"))
		set_address(frame, &spec->destination, value);
	else if (!strcmp(word, "sport"))
		spec->source_port = (uint16_t)number(value);
	else if (!strcmp(word, "dport"))
		spec->destination_port = (uint16_t)number(value);
	else if (!strcmp(word, "vlan"))
		spec->vlans[0] = (struct frame_vlan){0x8100, (uint16_t)number(value)};
	else if (!strcmp(word, "ethertype"))
		spec->ethertype = (uint16_t)number(value);
	else if (!strcmp(word, "bytes"))
		spec->payload_bytes = number(value);
	else if (!strcmp(word, "fragment"))
		spec->fragment_offset = (uint16_t)number(value);
	else
		fail("no such word:", word);
}

/* Cuts @p text into pieces; the description keeps some of them. */
static void describe(char *text, struct description *ret)
{
	char *rest = NULL;

	memset(ret, 0, sizeof(*ret));
	ret->spec.payload = ret->payload;
	ret->spec.payload_bytes = 32;
	for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		set(ret, word, value ? value : "");
	}
	if (ret->spec.payload_bytes > sizeof(ret->payload))
		fail("too long:", "bytes");
}

static int open_interface(const char *name)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (!to.sll_ifindex || fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to))) {
		fprintf(stderr, "frames: %s: %s\n", name, strerror(errno));
		exit(2);
	}
	return fd;
}

/* What a TC program on the way out drops comes back as ENOBUFS: it was sent. */
static int send_frame(struct pace *pace, int fd, const struct frame *frame)
{
	if (send(fd, frame->data, frame->bytes, 0) < 0 && errno != ENOBUFS)
		return -errno;
	return pace_sent(pace, fd);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"interface", required_argument, NULL, 'i'},
						{"count", required_argument, NULL, 'n'},
						{NULL, 0, NULL, 0}};
	static struct description description;
	static struct frame frame;
	const char *interface = "";
	uint32_t count = 1;
	struct pace pace;
	int option, fd, err = 0;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'i')
			interface = optarg;
		else if (option == 'n')
			count = number(optarg);
		else
			return 2;
	}
	fd = open_interface(interface);
	pace_begin(&pace, 0);
	for (int i = optind; i < argc; i++) {
		describe(argv[i], &description);
		frame_build(&description.spec, &frame);
		for (uint32_t k = 0; !err && k < count; k++)
			err = send_frame(&pace, fd, &frame);
	}
	if (!err)
		err = pace_end(&pace);
	close(fd);
	if (err)
		fprintf(stderr, "frames: %s\n", strerror(-err));
	return err ? 1 : 0;
}
