// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Writes what an interface sends and receives to a capture file, for tshark to read
 * afterwards. Prints "ready" when not one frame can be missed any more, ends at SIGTERM
 * after taking what its socket still holds. (tshark itself cannot say when it is ready.)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_BYTES_MAX 65536
#define RECEIVE_BUFFER_BYTES (16 << 20)
#define ADDRESSES_BYTES 12 /* both MAC addresses; a tag comes behind them */
#define TAG_BYTES 4

/* Classic pcap, pcap-savefile(5), in host byte order. */
struct file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, bytes_max, link_type;
};

struct frame_header {
	uint32_t seconds, microseconds, bytes, wire_bytes;
};

static int put_frame(FILE *output, const uint8_t *frame, size_t bytes)
{
	struct frame_header header = {.bytes = (uint32_t)bytes, .wire_bytes = (uint32_t)bytes};
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	header.seconds = (uint32_t)now.tv_sec;
	header.microseconds = (uint32_t)(now.tv_nsec / 1000);
	if (fwrite(&header, sizeof(header), 1, output) != 1 ||
	    fwrite(frame, 1, bytes, output) != bytes)
		return -EIO;
	return 0;
}

/* Put a tag that the kernel has taken out back where it was. Room for it is in front of
 * the frame. Returns where the frame begins now. */
static uint8_t *restore_tag(uint8_t *frame, size_t *bytes, const struct msghdr *message)
{
	const struct tpacket_auxdata *extra;
	const struct cmsghdr *control = CMSG_FIRSTHDR(message);
	uint16_t words[2];

	if (!control || control->cmsg_type != PACKET_AUXDATA)
		return frame;
	extra = (const struct tpacket_auxdata *)(const void *)CMSG_DATA(control);
	if (!(extra->tp_status & TP_STATUS_VLAN_VALID) || *bytes < ADDRESSES_BYTES)
		return frame;
	words[0] = htons(extra->tp_status & TP_STATUS_VLAN_TPID_VALID ? extra->tp_vlan_tpid
								      : ETHERTYPE_VLAN);
	words[1] = htons(extra->tp_vlan_tci);
	memmove(frame - TAG_BYTES, frame, ADDRESSES_BYTES);
	memcpy(frame - TAG_BYTES + ADDRESSES_BYTES, words, sizeof(words));
	*bytes += TAG_BYTES;
	return frame - TAG_BYTES;
}

/* Take everything the socket holds. 0, or -errno. */
static int drain(int fd, FILE *output, uint64_t *frames)
{
	static uint8_t buffer[TAG_BYTES + FRAME_BYTES_MAX];
	uint8_t control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];

	for (;;) {
		struct iovec part = {buffer + TAG_BYTES, FRAME_BYTES_MAX};
		struct msghdr message = {.msg_iov = &part,
					 .msg_iovlen = 1,
					 .msg_control = control,
					 .msg_controllen = sizeof(control)};
		ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
		size_t bytes = (size_t)got;
		uint8_t *frame;

		if (got < 0)
			return errno == EAGAIN ? 0 : -errno;
		frame = restore_tag(buffer + TAG_BYTES, &bytes, &message);
		if (put_frame(output, frame, bytes))
			return -EIO;
		++*frames;
	}
}

static int open_socket(const char *interface)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int buffer_bytes = RECEIVE_BUFFER_BYTES, one = 1, fd;

	at.sll_ifindex = (int)if_nametoindex(interface);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (!at.sll_ifindex || fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof(buffer_bytes));
	if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static void usage(void)
{
	fputs("usage: capture --interface NAME --output FILE\n", stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"interface", required_argument, NULL, 'i'},
		{"output", required_argument, NULL, 'o'},
		{0},
	};
	const struct file_header header = {
		.magic = 0xa1b2c3d4, .major = 2, .minor = 4, .bytes_max = 262144, .link_type = 1};
	const char *interface = NULL, *path = NULL;
	struct pollfd polled[2];
	uint64_t frames = 0;
	sigset_t signals;
	FILE *output;
	int choice, err = 0;

	while ((choice = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (choice == 'i')
			interface = optarg;
		else if (choice == 'o')
			path = optarg;
		else
			usage();
	}
	if (!interface || !path || optind != argc)
		usage();

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	output = fopen(path, "we");
	if (!output || fwrite(&header, sizeof(header), 1, output) != 1) {
		fprintf(stderr, "capture: %s: %s\n", path, strerror(errno));
		return 1;
	}
	polled[0] = (struct pollfd){.fd = open_socket(interface), .events = POLLIN};
	polled[1] = (struct pollfd){.fd = signalfd(-1, &signals, SFD_CLOEXEC), .events = POLLIN};
	if (polled[0].fd < 0 || polled[1].fd < 0) {
		fprintf(stderr, "capture: %s: %s\n", interface,
			strerror(polled[0].fd < 0 ? -polled[0].fd : errno));
		return 1;
	}
	puts("ready");
	fflush(stdout);

	while (!err && !polled[1].revents) {
		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			err = -errno;
		else
			err = drain(polled[0].fd, output, &frames);
	}
	if (fclose(output) && !err)
		err = -errno;
	printf("{\"frames\":%" PRIu64 "}\n", frames);
	if (err)
		fprintf(stderr, "capture: %s\n", strerror(-err));
	return err ? 1 : 0;
}
