/* What the command line asks for. */
#pragma once

struct plan {
    const char *host, *port, *requests;
    long connections, count; /* count: 0 is without a bound, like the seconds */
    double seconds, rate, timeout, deadline; /* rate: 0 is a closed loop */
};

/* Read the command line; ends the process when it is wrong. */
struct plan read_plan(int count, char **words);
