/* Counting answers, and printing the counts with exact percentiles: every time is kept. */
#define _GNU_SOURCE
#include "tally.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

void give_up(const char *what)
{
    fprintf(stderr, "generator: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(2);
}

double clock_s(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static void add_time(struct times *times, double seconds)
{
    if (times->count == times->room) {
        times->room = times->room ? 2 * times->room : 65536;
        times->us = realloc(times->us, times->room * sizeof *times->us);
        if (!times->us) give_up("no memory");
    }
    times->us[times->count++] = (uint32_t)fmin(seconds * 1e6, UINT32_MAX);
}

static void count_good(struct tally *tally, const struct answer *answer, double at, bool is_late)
{
    long second = (long)(at - tally->start);
    tally->good++;
    tally->late += is_late;
    tally->cache[answer->cache]++;
    if (second < MOST_SECONDS) tally->good_in_second[second]++;
}

void count_answer(struct tally *tally, const struct answer *answer, double due, double sent, double deadline)
{
    double at = clock_s();
    tally->last_answer = at;
    if (answer->status / 100 == 2) {
        count_good(tally, answer, at, at - due > deadline);
        add_time(&tally->good_due, at - due);
        add_time(&tally->good_sent, at - sent);
    } else if (answer->status == 429 || answer->status == 503) {
        *(answer->status == 429 ? &tally->limited : &tally->unavailable) += 1;
        tally->without_retry_after += !answer->has_retry_after;
        add_time(&tally->refused_due, at - due);
        add_time(&tally->refused_sent, at - sent);
    } else if (tally->other++ == 0) {
        tally->first_other = answer->status;
    }
}

static int in_order(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

static double percentile_ms(const struct times *times, double share)
{
    size_t rank = (size_t)ceil(share * times->count);
    return times->count ? times->us[rank ? rank - 1 : 0] / 1e3 : 0;
}

static void print_times(const char *name, struct times *times)
{
    if (times->count) qsort(times->us, times->count, sizeof *times->us, in_order);
    printf(", \"%s\": {\"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"p99_9\": %.3f, \"max\": %.3f}", name,
        percentile_ms(times, .5), percentile_ms(times, .9), percentile_ms(times, .99), percentile_ms(times, .999),
        percentile_ms(times, 1));
}

static double own_cpu_s(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

void print_tally(struct tally *tally, double seconds)
{
    double lasted = tally->last_answer - tally->start;
    const struct { const char *name; long value; } counts[] = {
        { "sent", tally->sent }, { "good", tally->good }, { "limited", tally->limited },
        { "unavailable", tally->unavailable }, { "other", tally->other }, { "first_other", tally->first_other },
        { "without_retry_after", tally->without_retry_after }, { "late", tally->late }, { "lost", tally->lost },
        { "given_up", tally->given_up }, { "unreadable", tally->unreadable },
        { "connection_errors", tally->connection_errors }, { "hits", tally->cache[HIT] },
        { "misses", tally->cache[MISS] }, { "bypasses", tally->cache[BYPASS] } };

    printf("{\"offered\": %ld", tally->offered);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) printf(", \"%s\": %ld", counts[i].name, counts[i].value);
    printf(", \"seconds\": %.6f, \"cpu_s\": %.6f", fmax(lasted, seconds), own_cpu_s());
    print_times("good_ms", &tally->good_due);
    print_times("good_sent_ms", &tally->good_sent);
    print_times("refused_ms", &tally->refused_due);
    print_times("refused_sent_ms", &tally->refused_sent);
    printf(", \"good_in_second\": [");
    for (long i = 0; i < MOST_SECONDS && i < lasted; i++) printf("%s%u", i ? ", " : "", tally->good_in_second[i]);
    printf("]}\n");
}
