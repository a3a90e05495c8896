/* What was counted, and how long it took.
 *
 * "good" is 2xx, "late" a good answer more than the deadline after it was due. "lost" was not answered within the
 * timeout of being sent, or its connection broke; "given_up" waited so long for a connection that it was never sent.
 * "unreadable" answers have no Content-Length, or more bytes than it says. */
#pragma once
#include "answer.h"

#include <stddef.h>
#include <stdint.h>

enum { MOST_SECONDS = 7200 };

/* Microseconds, as they came. */
struct times {
    uint32_t *us;
    size_t count, room;
};

struct tally {
    long offered, sent, good, limited, unavailable, other, first_other, without_retry_after;
    long late, lost, given_up, unreadable, connection_errors, cache[CACHES];
    struct times good_due, good_sent, refused_due, refused_sent;
    uint32_t good_in_second[MOST_SECONDS];
    double start, last_answer;
};

/* End the process with a sentence, and with what errno says if it says anything. */
void give_up(const char *what);

/* Seconds since no moment in particular. */
double clock_s(void);

/* Count an answer that was read to its end now, for a request that was due and sent then. */
void count_answer(struct tally *tally, const struct answer *answer, double due, double sent, double deadline);

/* Print everything as one JSON object; a run lasts at least `seconds`. */
void print_tally(struct tally *tally, double seconds);
