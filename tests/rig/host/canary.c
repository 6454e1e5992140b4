/*
 * canary RANGE…: a page of this host that no guest may reach.  Its physical address is in none of
 * the ranges START-END given, which are a guest's RAM as the guest counts, so that a device's DMA to
 * that address reaches this page unless an IOMMU stops it.
 *
 * Prints «canary 0xADDRESS», waits for a line, prints «intact», «changed» or «moved».
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, CHUNK = 64 << 20, CHUNKS = 16 };

static int pagemap;
static const uint64_t magic = 0x797261616e6163ca; /* read back by a guest, it would be told */

/* Documentation/admin-guide/mm/pagemap.rst: bits 0-54 the frame, 63 present. */
static uint64_t physical(const void *page)
{
    uint64_t entry;

    if (pread(pagemap, &entry, 8, (off_t)((uintptr_t)page / PAGE * 8)) != 8 || !(entry >> 63))
        return 0;
    return (entry & ((1ull << 55) - 1)) * PAGE;
}

static int outside(uint64_t address, char **ranges)
{
    for (; *ranges; ranges++) {
        char *end;
        uint64_t start = strtoull(*ranges, &end, 0);

        if (address >= start && address < strtoull(end + 1, NULL, 0))
            return 0;
    }
    return 1;
}

/* Takes memory, a chunk after the other, until one has such a page; the others go back. */
static uint64_t *find_page(char **ranges, uint64_t *ret_at)
{
    uint8_t *chunks[CHUNKS], *page = NULL;
    int n = 0;

    while (n < CHUNKS && !page) {
        uint8_t *chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);

        if (chunk == MAP_FAILED)
            break;
        chunks[n++] = chunk;
        for (size_t i = 0; i < CHUNK && !page; i += PAGE) {
            *ret_at = physical(chunk + i);
            if (*ret_at && outside(*ret_at, ranges))
                page = chunk + i;
        }
    }
    for (int i = 0; i < n - (page != NULL); i++)
        munmap(chunks[i], CHUNK);
    return (uint64_t *)page;
}

int main(int argc, char **argv)
{
    uint64_t at = 0, *page;
    int changed = 0;
    char line[8];

    (void)argc;
    pagemap = open("/proc/self/pagemap", O_RDONLY);
    page = find_page(argv + 1, &at);
    if (!page) {
        fprintf(stderr, "canary: no page outside those ranges\n");
        return 1;
    }
    for (int i = 0; i < PAGE / 8; i++)
        page[i] = magic;
    printf("canary 0x%llx\n", (unsigned long long)at);
    fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        return 1;
    for (int i = 0; i < PAGE / 8; i++)
        changed |= ((volatile uint64_t *)page)[i] != magic;
    puts(physical(page) != at ? "moved" : changed ? "changed" : "intact");
    return 0;
}
