/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Heads in a tar archive, POSIX.1-1988 "ustar": a head of one block before each file,
 * whose contents are padded with zeros to whole blocks; two blocks of zeros at the end.
 * Numbers are octal text.
 */
#ifndef FAAS_BASE_USTAR_H
#define FAAS_BASE_USTAR_H

#define USTAR_BLOCK_BYTES 512
#define USTAR_MAGIC "ustar"
#define USTAR_FILE '0'

struct ustar_head {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[6];
	char version[2];
	char user[32];
	char group[32];
	char major[8];
	char minor[8];
	char prefix[155];
	char padding[12];
};

_Static_assert(sizeof(struct ustar_head) == USTAR_BLOCK_BYTES, "one block");

/* The sum of all bytes, with spaces in the place of the sum. */
static inline unsigned int ustar_checksum(const struct ustar_head *head)
{
	const unsigned char *bytes = (const unsigned char *)head;
	unsigned int sum = 0;

	for (unsigned int i = 0; i < sizeof(*head); i++)
		sum += i >= __builtin_offsetof(struct ustar_head, checksum) &&
				       i < __builtin_offsetof(struct ustar_head, type)
			       ? ' '
			       : bytes[i];
	return sum;
}

#endif
