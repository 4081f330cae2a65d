// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sends frames as they are, through an AF_PACKET socket: those of a capture, or
 * a synthetic set. Reports what it sent and how much of it has a given port,
 * read by code of its own (reading.h), so that a test knows what the ledger must
 * say:
 *
 *   {"sent":N,"bytes":N,"matching":N,"unsendable":N,"vlan":N,
 *    "ports":N,"fragments":N,"other":N,"not_ip":N,"malformed":N}
 *
 * "ports" to "malformed" divide the frames sent by class. "unsendable" are
 * frames that a packet socket refuses (shorter than an Ethernet header, longer
 * than the interface takes).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "inject_sets.h"
#include "pace.h"
#include "pcap.h"
#include "reading.h"

#define PORTS_MAX 16

struct injector {
	int fd;
	struct sockaddr_ll to;
	struct pace pace;
	unsigned int protocol;
	uint16_t ports[PORTS_MAX];
	unsigned int port_count;
	uint64_t sent, bytes, matching, unsendable, vlan;
	uint64_t classes[READING_CLASSES];
};

static bool matches(const struct injector *injector, const struct reading *reading)
{
	if (reading->class != READING_PORTS || reading->protocol != injector->protocol)
		return false;
	for (unsigned int i = 0; i < injector->port_count; i++)
		if (reading->source_port == injector->ports[i] ||
		    reading->destination_port == injector->ports[i])
			return true;
	return false;
}

/* 0, or -errno when not the frame but the interface is at fault. */
static int send_frame(struct injector *injector, const uint8_t *frame, size_t bytes)
{
	struct reading reading;

	pace_wait(&injector->pace);
	if (sendto(injector->fd, frame, bytes, 0, (struct sockaddr *)&injector->to,
		   sizeof(injector->to)) != (ssize_t)bytes) {
		if (errno != EINVAL && errno != EMSGSIZE)
			return -errno;
		injector->unsendable++;
		return 0;
	}
	frame_read(frame, bytes, &reading);
	injector->sent++;
	injector->bytes += bytes;
	injector->matching += matches(injector, &reading);
	injector->vlan += reading.vlan_tags > 0;
	injector->classes[reading.class]++;
	return pace_sent(&injector->pace, injector->fd);
}

static int send_capture(struct injector *injector, const char *path)
{
	struct pcap_packet packet;
	struct pcap pcap;
	int err;

	err = pcap_open(path, &pcap);
	if (err) {
		fprintf(stderr, "inject: %s: %s\n", path, strerror(-err));
		return err;
	}
	while ((err = pcap_next(&pcap, &packet)) == 1) {
		err = send_frame(injector, packet.data, packet.bytes);
		if (err)
			break;
	}
	pcap_close(&pcap);
	return err;
}

static int send_set(struct injector *injector, const char *name)
{
	struct frame frame;
	int err = 0;

	for (unsigned int n = 0; !err; n++) {
		int found = inject_set_frame(name, n, injector->ports[0], &frame);

		if (found < 0)
			fprintf(stderr, "inject: no set \"%s\"\n", name);
		if (found != 1)
			return found;
		err = send_frame(injector, frame.data, frame.bytes);
	}
	return err;
}

static int open_interface(struct injector *injector, const char *name)
{
	unsigned int index = if_nametoindex(name);

	injector->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (!index || injector->fd < 0)
		return -errno;
	injector->to = (struct sockaddr_ll){
		.sll_family = AF_PACKET, .sll_ifindex = (int)index, .sll_halen = ETH_ALEN};
	return 0;
}

static void usage(void)
{
	fputs("usage: inject --interface NAME --port PORT [--port PORT]... [--protocol udp|tcp]\n"
	      "              (--pcap FILE | --set NAME)... [--times N] [--rate PER_SECOND]\n"
	      "sets:",
	      stderr);
	inject_sets_print(stderr);
	exit(2);
}

static void report(const struct injector *injector)
{
	printf("{\"sent\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"matching\":%" PRIu64
	       ",\"unsendable\":%" PRIu64 ",\"vlan\":%" PRIu64,
	       injector->sent, injector->bytes, injector->matching, injector->unsendable,
	       injector->vlan);
	for (int class = 0; class < READING_CLASSES; class ++)
		printf(",\"%s\":%" PRIu64, reading_class_names[class], injector->classes[class]);
	puts("}");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"interface", required_argument, NULL, 'i'},
		{"port", required_argument, NULL, 'p'},
		{"protocol", required_argument, NULL, 'P'},
		{"pcap", required_argument, NULL, 'f'},
		{"set", required_argument, NULL, 's'},
		{"times", required_argument, NULL, 't'},
		{"rate", required_argument, NULL, 'r'},
		{0},
	};
	static struct injector injector = {.protocol = IPPROTO_UDP};
	const char *interface = NULL, *capture = NULL, *set = NULL;
	uint64_t times = 1, rate = 5000;
	int choice, err;

	while ((choice = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (choice) {
		case 'i':
			interface = optarg;
			break;
		case 'p':
			if (injector.port_count == PORTS_MAX)
				usage();
			injector.ports[injector.port_count++] =
				(uint16_t)number_or_die(optarg, 65535, "port");
			break;
		case 'P':
			if (strcmp(optarg, "udp") && strcmp(optarg, "tcp"))
				usage();
			injector.protocol = strcmp(optarg, "udp") ? IPPROTO_TCP : IPPROTO_UDP;
			break;
		case 'f':
			capture = optarg;
			break;
		case 's':
			set = optarg;
			break;
		case 't':
			times = number_or_die(optarg, 1000000, "times");
			break;
		case 'r':
			rate = number_or_die(optarg, 10000000, "rate");
			break;
		default:
			usage();
		}
	}
	if (!interface || !injector.port_count || !capture == !set || optind != argc)
		usage();

	err = open_interface(&injector, interface);
	pace_begin(&injector.pace, rate);
	for (uint64_t n = 0; !err && n < times; n++)
		err = capture ? send_capture(&injector, capture) : send_set(&injector, set);
	if (!err)
		err = pace_end(&injector.pace);
	report(&injector);
	if (err) {
		fprintf(stderr, "inject: %s: %s\n", interface, strerror(-err));
		return 1;
	}
	return 0;
}
