/* Reading the command line. */
#define _GNU_SOURCE
#include "plan.h"

#include "tally.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static const struct option OPTIONS[] = { { "connections", 1, 0, 'c' }, { "count", 1, 0, 'n' }, { "seconds", 1, 0, 's' },
    { "rate", 1, 0, 'r' }, { "timeout", 1, 0, 't' }, { "deadline", 1, 0, 'd' }, { 0 } };

static void set(struct plan *plan, int option, double value)
{
    switch (option) {
    case 'c': plan->connections = (long)value; break;
    case 'n': plan->count = (long)value; break;
    case 's': plan->seconds = value; break;
    case 'r': plan->rate = value; break;
    case 't': plan->timeout = value; break;
    case 'd': plan->deadline = value; break;
    }
}

struct plan read_plan(int count, char **words)
{
    struct plan plan = { .connections = 1, .timeout = 30, .deadline = INFINITY };
    for (int option; (option = getopt_long(count, words, "", OPTIONS, NULL)) != -1;) {
        double value = optarg ? atof(optarg) : 0;
        if (!(value > 0)) give_up("an option is not a number above 0");
        set(&plan, option, value);
    }
    if (count - optind != 3 || !(plan.seconds || plan.count)) give_up("say HOST PORT REQUESTS and --seconds or --count");
    plan.host = words[optind];
    plan.port = words[optind + 1];
    plan.requests = words[optind + 2];
    return plan;
}
