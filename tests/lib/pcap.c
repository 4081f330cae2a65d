// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Capture files: see pcap.h. */
#include "pcap.h"

#include <byteswap.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC_MICROSECONDS 0xa1b2c3d4u
#define MAGIC_NANOSECONDS 0xa1b23c4du

struct file_header {
	uint32_t magic;
	uint16_t version_major, version_minor;
	uint32_t reserved[2];
	uint32_t snapshot_bytes;
	uint32_t link_type; /* low 28 bits; the rest describes frame checks */
};

struct packet_header {
	uint32_t seconds, fraction;
	uint32_t bytes, wire_bytes;
};

static uint32_t ordered(const struct pcap *pcap, uint32_t value)
{
	return pcap->swapped ? bswap_32(value) : value;
}

int pcap_open(const char *path, struct pcap *ret)
{
	struct pcap pcap = {0};
	struct file_header header;
	int err = -EBADMSG;

	pcap.stream = fopen(path, "rbe");
	if (!pcap.stream)
		return -errno;
	if (fread(&header, sizeof(header), 1, pcap.stream) != 1)
		goto cleanup;
	pcap.swapped = header.magic == bswap_32(MAGIC_MICROSECONDS) ||
		       header.magic == bswap_32(MAGIC_NANOSECONDS);
	header.magic = ordered(&pcap, header.magic);
	if (header.magic != MAGIC_MICROSECONDS && header.magic != MAGIC_NANOSECONDS)
		goto cleanup;
	pcap.nanoseconds = header.magic == MAGIC_NANOSECONDS;
	pcap.link_type = ordered(&pcap, header.link_type) & 0x0fffffff;
	pcap.data = malloc(PCAP_PACKET_BYTES_MAX);
	if (!pcap.data) {
		err = -ENOMEM;
		goto cleanup;
	}
	*ret = pcap;
	return 0;

cleanup:
	fclose(pcap.stream);
	return err;
}

int pcap_next(struct pcap *pcap, struct pcap_packet *ret)
{
	struct packet_header header;
	size_t got = fread(&header, 1, sizeof(header), pcap->stream);
	uint32_t bytes;

	if (ferror(pcap->stream))
		return -EIO;
	if (!got)
		return 0;
	bytes = ordered(pcap, header.bytes);
	if (got != sizeof(header) || bytes > PCAP_PACKET_BYTES_MAX)
		return -EBADMSG;
	if (fread(pcap->data, 1, bytes, pcap->stream) != bytes)
		return ferror(pcap->stream) ? -EIO : -EBADMSG;
	pcap->packets++;
	*ret = (struct pcap_packet){
		.data = pcap->data,
		.bytes = bytes,
		.wire_bytes = ordered(pcap, header.wire_bytes),
		.time_ns = ordered(pcap, header.seconds) * 1000000000ull +
			   ordered(pcap, header.fraction) * (pcap->nanoseconds ? 1ull : 1000ull),
	};
	return 1;
}

void pcap_close(struct pcap *pcap)
{
	if (!pcap->stream)
		return;
	fclose(pcap->stream);
	free(pcap->data);
	memset(pcap, 0, sizeof(*pcap));
}
