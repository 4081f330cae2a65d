// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "digest.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <openssl/evp.h>

#define DIGEST_BYTES 32
#define CHUNK_BYTES 16384

static int feed(EVP_MD_CTX *context, int fd)
{
	unsigned char chunk[CHUNK_BYTES];
	off_t offset = 0;

	for (;;) {
		ssize_t bytes = pread(fd, chunk, sizeof(chunk), offset);

		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < 0)
			return -errno;
		if (bytes == 0)
			return 0;
		if (EVP_DigestUpdate(context, chunk, (size_t)bytes) != 1)
			return -EIO;
		offset += bytes;
	}
}

int digest_fd(int fd, char ret[DIGEST_TEXT_BYTES])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned int bytes = 0;
	int err;

	if (!context)
		return -ENOMEM;
	if (EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
		err = -EIO;
		goto cleanup;
	}
	err = feed(context, fd);
	if (err)
		goto cleanup;
	if (EVP_DigestFinal_ex(context, digest, &bytes) != 1 || bytes != DIGEST_BYTES) {
		err = -EIO;
		goto cleanup;
	}
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		snprintf(ret + 2 * i, 3, "%02x", digest[i]);
cleanup:
	EVP_MD_CTX_free(context);
	return err;
}
