/*
 * bario: a BAR as the guest's programs see it, through the file sysfs has for it.
 *
 *   bario put RESOURCE OFFSET LENGTH    from standard input into the BAR, eight bytes at a time
 *   bario get RESOURCE OFFSET LENGTH    from the BAR to standard output, likewise
 *
 * OFFSET and LENGTH are multiples of a page.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: bario put|get RESOURCE OFFSET LENGTH\n");
        return 2;
    }

    int fd = open(argv[2], O_RDWR | O_SYNC);
    off_t offset = (off_t)strtoull(argv[3], NULL, 0);
    size_t words = strtoull(argv[4], NULL, 0) / 8, done = 0;
    volatile uint64_t *bar = mmap(NULL, words * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    uint64_t word;

    if (fd < 0 || bar == MAP_FAILED) {
        perror(argv[2]);
        return 1;
    }
    if (strcmp(argv[1], "put") == 0) {
        while (done < words && fread(&word, 8, 1, stdin) == 1)
            bar[done++] = word;
    } else {
        while (done < words && (word = bar[done], fwrite(&word, 8, 1, stdout)) == 1)
            done++;
    }
    return done != words || fflush(stdout) != 0;
}
