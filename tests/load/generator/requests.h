/* The requests to send, from a file of records: a length (4 bytes, little-endian) and one whole request each. */
#pragma once
#include <stddef.h>

struct request {
    const char *bytes;
    size_t size;
};

struct requests {
    struct request *all;
    size_t count;
};

/* Map the file, which stays mapped; ends the process when it cannot be read, is cut off or has no record. */
struct requests read_requests(const char *path);
