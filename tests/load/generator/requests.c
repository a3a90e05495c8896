/* Reading the file of requests. */
#define _GNU_SOURCE
#include "requests.h"

#include "tally.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

static uint32_t size_at(const unsigned char *record)
{
    return record[0] | (uint32_t)record[1] << 8 | (uint32_t)record[2] << 16 | (uint32_t)record[3] << 24;
}

struct requests read_requests(const char *path)
{
    struct requests requests = { 0 };
    struct stat facts;
    int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &facts) < 0) give_up(path);
    if (!facts.st_size) give_up("there are no requests in the file");
    const char *bytes = mmap(NULL, facts.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    if (bytes == MAP_FAILED) give_up(path);

    for (off_t at = 0; at < facts.st_size;) {
        uint32_t size = facts.st_size - at < 4 ? 0 : size_at((const unsigned char *)bytes + at);
        if (size == 0 || size > facts.st_size - at - 4) give_up("a record of the requests is empty or cut off");
        if (requests.count % 1024 == 0)
            requests.all = realloc(requests.all, (requests.count + 1024) * sizeof *requests.all);
        if (!requests.all) give_up("no memory");
        requests.all[requests.count++] = (struct request){ bytes + at + 4, size };
        at += 4 + (off_t)size;
    }
    return requests;
}
