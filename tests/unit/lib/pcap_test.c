// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tests/lib/pcap: both byte orders, both resolutions, broken files. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pcap.h"

struct file {
	uint8_t bytes[256];
	size_t used;
};

static void put(struct file *file, bool big, uint32_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		file->bytes[file->used++] = (uint8_t)(value >> 8 * (big ? bytes - 1 - i : i));
}

/* Two packets, of 3 and 5 bytes; the second was longer on the wire. */
static struct file make_file(bool big, uint32_t magic)
{
	struct file file = {.used = 0};

	put(&file, big, magic, 4);
	put(&file, big, 2, 2);
	put(&file, big, 4, 2);
	put(&file, big, 0, 4);
	put(&file, big, 0, 4);
	put(&file, big, 65535, 4);
	put(&file, big, 0x10000000 | PCAP_LINK_ETHERNET, 4);
	for (uint32_t bytes = 3; bytes <= 5; bytes += 2) {
		put(&file, big, 1700000000 + bytes, 4);
		put(&file, big, 123456, 4);
		put(&file, big, bytes, 4);
		put(&file, big, bytes == 5 ? 1500 : bytes, 4);
		for (uint32_t i = 0; i < bytes; i++)
			put(&file, big, 0xa0 + i, 1);
	}
	return file;
}

static int open_file(const struct file *file, struct pcap *ret)
{
	char path[] = "/tmp/ef_pcap_XXXXXX";
	int fd = mkstemp(path), err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, file->bytes, file->used), file->used);
	close(fd);
	err = pcap_open(path, ret);
	unlink(path);
	return err;
}

static void test_orders_and_resolutions(void **state)
{
	(void)state;
	for (int variant = 0; variant < 4; variant++) {
		bool big = variant & 1, nanoseconds = variant & 2;
		struct file file = make_file(big, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4);
		struct pcap_packet packet;
		struct pcap pcap;

		assert_int_equal(open_file(&file, &pcap), 0);
		assert_int_equal(pcap.link_type, PCAP_LINK_ETHERNET);
		for (uint32_t bytes = 3; bytes <= 5; bytes += 2) {
			assert_int_equal(pcap_next(&pcap, &packet), 1);
			assert_int_equal(packet.bytes, bytes);
			assert_int_equal(packet.wire_bytes, bytes == 5 ? 1500 : 3);
			assert_int_equal(packet.time_ns,
					 (1700000000 + bytes) * 1000000000ull +
						 (nanoseconds ? 123456 : 123456000));
			assert_memory_equal(packet.data, "\xa0\xa1\xa2\xa3\xa4", bytes);
		}
		assert_int_equal(pcap_next(&pcap, &packet), 0);
		assert_int_equal(pcap.packets, 2);
		pcap_close(&pcap);
		pcap_close(&pcap); /* again does nothing */
	}
}

/* Cut anywhere: never a packet that is not whole. */
static void test_cut(void **state)
{
	struct file whole = make_file(false, 0xa1b2c3d4);

	(void)state;
	for (size_t bytes = 0; bytes < whole.used; bytes++) {
		size_t packets = bytes >= 24 + 16 + 3, end = packets ? 24 + 16 + 3 : 24;
		struct pcap_packet packet;
		struct file cut = whole;
		struct pcap pcap;
		int more = 1;

		cut.used = bytes;
		if (bytes < 24) {
			assert_int_equal(open_file(&cut, &pcap), -EBADMSG);
			continue;
		}
		assert_int_equal(open_file(&cut, &pcap), 0);
		while ((more = pcap_next(&pcap, &packet)) > 0)
			;
		assert_int_equal(pcap.packets, packets);
		assert_int_equal(more, bytes == end ? 0 : -EBADMSG);
		pcap_close(&pcap);
	}
}

static void test_not_a_capture(void **state)
{
	struct file file = make_file(false, 0x0a0d0d0a); /* pcapng */
	struct pcap_packet packet;
	struct pcap pcap;

	(void)state;
	assert_int_equal(open_file(&file, &pcap), -EBADMSG);
	assert_int_equal(pcap_open("/nonexistent", &pcap), -ENOENT);
	file = make_file(false, 0xa1b2c3d4);
	file.bytes[24 + 8 + 3] = 0x7f; /* a packet of 2 GB */
	assert_int_equal(open_file(&file, &pcap), 0);
	assert_int_equal(pcap_next(&pcap, &packet), -EBADMSG);
	pcap_close(&pcap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders_and_resolutions),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_not_a_capture),
	};

	return cmocka_run_group_tests_name("pcap", tests, NULL, NULL);
}
