/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a fuzz target over files instead of under libFuzzer: `make check-fuzz`, and anyone with a
 * finding and a debugger. Each input gets a block of exactly its size, so that a read past its end
 * is seen. Says the name of each file it got through; a finding ends the process.
 */
#include "tests/fuzz/fuzz.h"

static bool run(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	long size;

	if (!file || fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) < 0) {
		perror(path);
		return false;
	}
	rewind(file);
	data = malloc((size_t)size);
	if ((size && !data) || fread(data, 1, (size_t)size, file) != (size_t)size) {
		perror(path);
		return false;
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	return true;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!run(argv[i]))
			return 1;
		puts(argv[i]);
		fflush(stdout);
	}
	return 0;
}
