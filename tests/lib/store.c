// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What tests made: see store.h. */
#include "store.h"

#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#define STORE TEST_BUILD "/tests/store"

static int copy(const char *from, const char *to)
{
	FILE *in = fopen(from, "re"), *out = in ? fopen(to, "we") : NULL;
	char chunk[65536];
	size_t bytes;
	int err = !out;

	while (!err && (bytes = fread(chunk, 1, sizeof(chunk), in)) > 0)
		err = fwrite(chunk, 1, bytes, out) != bytes;
	if (in) {
		err |= ferror(in);
		fclose(in);
	}
	if (out)
		err |= fclose(out);
	return err ? -1 : 0;
}

static int feed_file(EVP_MD_CTX *digest, const char *path)
{
	FILE *in = fopen(path, "re");
	char chunk[65536];
	size_t bytes;
	int err;

	if (!in)
		return -1;
	while ((bytes = fread(chunk, 1, sizeof(chunk), in)) > 0)
		EVP_DigestUpdate(digest, chunk, bytes);
	err = ferror(in);
	fclose(in);
	EVP_DigestUpdate(digest, "", 1); /* where one ends and the next begins */
	return err ? -1 : 0;
}

/* What every object is made from, read once. */
static int feed_sources(EVP_MD_CTX *digest)
{
	static const char *const patterns[] = {"include/ebpf_faas/*.h", "bpf/*.h", "tests/bpf/*.h",
					       "loader/*.[ch]"};
	static EVP_MD_CTX *sources;
	char pattern[512];
	glob_t found;
	int err = 0;

	if (!sources) {
		sources = EVP_MD_CTX_new();
		if (!sources || EVP_DigestInit_ex(sources, EVP_sha256(), NULL) != 1)
			return -1;
		for (unsigned int i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
			snprintf(pattern, sizeof(pattern), TEST_SOURCE "/%s", patterns[i]);
			if (glob(pattern, 0, NULL, &found))
				return -1;
			for (size_t k = 0; k < found.gl_pathc; k++)
				err |= feed_file(sources, found.gl_pathv[k]);
			globfree(&found);
		}
	}
	return err || EVP_MD_CTX_copy_ex(digest, sources) != 1 ? -1 : 0;
}

int store_name(const char *text, const char *const files[], char ret[STORE_NAME_BYTES])
{
	unsigned char value[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	unsigned int bytes = 0;
	char path[512];
	int err = !digest || feed_sources(digest);

	if (!err)
		err = EVP_DigestUpdate(digest, text, strlen(text) + 1) != 1;
	for (; !err && *files; files++) {
		snprintf(path, sizeof(path), TEST_BUILD "/%s", *files);
		err = feed_file(digest, path);
	}
	if (!err)
		err = EVP_DigestFinal_ex(digest, value, &bytes) != 1 ||
		      2 * bytes >= STORE_NAME_BYTES;
	for (unsigned int i = 0; !err && i < bytes; i++)
		snprintf(ret + 2 * (size_t)i, 3, "%02x", value[i]);
	EVP_MD_CTX_free(digest);
	return err ? -1 : 0;
}

int store_get(const char *name, const char *part, const char *path)
{
	char kept[512];

	snprintf(kept, sizeof(kept), STORE "/%s.%s", name, part);
	return copy(kept, path);
}

void store_put(const char *name, const char *part, const char *path)
{
	char kept[512], scratch[600];

	mkdir(STORE, 0755);
	snprintf(kept, sizeof(kept), STORE "/%s.%s", name, part);
	snprintf(scratch, sizeof(scratch), "%s.%d", kept, (int)getpid());
	if (copy(path, scratch) || rename(scratch, kept))
		unlink(scratch);
}
