/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* SHA-256 of files (FIPS 180-4), by libcrypto. */
#ifndef FAAS_BASE_DIGEST_H
#define FAAS_BASE_DIGEST_H

#define DIGEST_TEXT_BYTES 65 /* 64 digits of hexadecimal, NUL */

/**
 * Digest of what @p fd holds from its beginning to its end, in lower-case
 * hexadecimal. Borrows @p fd and does not move its offset. 0 or -errno.
 */
int digest_fd(int fd, char ret[DIGEST_TEXT_BYTES]) __attribute__((warn_unused_result));

#endif
