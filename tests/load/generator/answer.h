/* What an answer says of itself. */
#pragma once
#include <stdbool.h>

enum cache { NO_CACHE, HIT, MISS, BYPASS, CACHES };

struct answer {
    int status;
    enum cache cache;
    bool has_retry_after, closes;
    long body_left; /* bytes still to come; below 0 until the head was read */
};

/* Read a head, which ends in an empty line and a NUL; false where the end of the body cannot be told. */
bool read_head(struct answer *answer, const char *head);
