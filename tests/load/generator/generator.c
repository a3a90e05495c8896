/* Sends prepared HTTP/1.1 requests over kept-alive connections and prints how they were answered, as one JSON object.
 *
 *   generator HOST PORT REQUESTS --connections N (--seconds S | --count N | both) [--rate R] [--timeout S] [--deadline S]
 *
 * One thread sends them in the order of the file, again and again. Without --rate the loop is closed: a connection
 * sends its next request when the last one is answered. With --rate it is open: request i is due at start + i / R,
 * whatever the server does. Its time counts from then on, and what finds no free connection waits its turn, which
 * counts as well: a server that stalls is felt by all who come meanwhile. tally.h says what is counted. */
#define _GNU_SOURCE
#include "answer.h"
#include "plan.h"
#include "requests.h"
#include "tally.h"

#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_LIMIT = 8192, EVENTS = 256 };
enum state { DOWN, CONNECTING, FREE, BUSY };
static const double SWEEP_S = 0.05, REST_S = 0.1, CONNECT_LIMIT_S = 5;

struct connection {
    int fd;
    enum state state;
    bool is_queued;
    double since; /* when it began to connect, or failed to */
    double due, sent;
    const struct request *request;
    size_t written, head_size;
    struct answer answer;
    char head[HEAD_LIMIT];
};

static struct plan plan;
static struct tally tally;
static struct requests requests;
static struct connection *connections, **queue; /* queue: a ring of the free ones, so that all take turns */
static size_t queue_first, queue_size;
static struct addrinfo *address;
static int events, timer;
static long in_flight;

static void watch(struct connection *one, int operation, uint32_t wanted)
{
    struct epoll_event event = { .events = wanted, .data.ptr = one };
    if (epoll_ctl(events, operation, one->fd, &event) < 0) give_up("epoll_ctl");
}

static void set_free(struct connection *one)
{
    one->state = FREE;
    if (one->is_queued) return;
    one->is_queued = true;
    queue[(queue_first + queue_size++) % plan.connections] = one;
}

static struct connection *take_free(void)
{
    while (queue_size) {
        struct connection *one = queue[queue_first];
        queue_first = (queue_first + 1) % plan.connections;
        queue_size--;
        one->is_queued = false;
        if (one->state == FREE) return one; /* others were closed while they waited */
    }
    return NULL;
}

static void rest(struct connection *one)
{
    close(one->fd);
    tally.connection_errors++;
    one->state = DOWN, one->since = clock_s();
}

static void open_connection(struct connection *one)
{
    int yes = 1;
    one->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (one->fd < 0) give_up("socket");
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    one->state = CONNECTING, one->since = clock_s();
    watch(one, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    if (connect(one->fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS) rest(one);
}

static void open_again(struct connection *one)
{
    close(one->fd);
    open_connection(one);
}

static void lose(struct connection *one)
{
    tally.lost++;
    in_flight--;
    open_again(one);
}

static void break_off(struct connection *one)
{
    tally.connection_errors++;
    lose(one);
}

static void finish_connecting(struct connection *one)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(one->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        rest(one);
        return;
    }
    watch(one, EPOLL_CTL_MOD, EPOLLIN);
    set_free(one);
}

static void write_request(struct connection *one)
{
    size_t left = one->request->size - one->written;
    ssize_t done = send(one->fd, one->request->bytes + one->written, left, MSG_NOSIGNAL);
    bool was_cut = one->written > 0, is_broken = done < 0 && errno != EAGAIN;
    one->written += done > 0 ? done : 0;
    bool is_cut = one->written < one->request->size;
    if (is_broken) break_off(one);
    else if (was_cut || is_cut) watch(one, EPOLL_CTL_MOD, is_cut ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static bool is_offering(double at)
{
    if (plan.count && tally.offered >= plan.count) return false;
    if (plan.rate && plan.seconds) return tally.offered < plan.rate * plan.seconds;
    return plan.seconds == 0 || at < tally.start + plan.seconds;
}

static double next_due(double at)
{
    return plan.rate ? tally.start + tally.offered / plan.rate : at;
}

static void send_on(struct connection *one, double due, double at)
{
    one->state = BUSY;
    one->due = due;
    one->sent = at;
    one->request = &requests.all[tally.offered++ % requests.count];
    one->written = one->head_size = 0;
    one->answer = (struct answer){ .body_left = -1 };
    tally.sent++, in_flight++;
    write_request(one);
}

static void send_what_is_due(void)
{
    double at = clock_s();
    for (; is_offering(at) && at - next_due(at) > plan.timeout; tally.offered++) tally.given_up++;
    for (struct connection *one; is_offering(at) && next_due(at) <= at && (one = take_free()); at = clock_s())
        send_on(one, next_due(at), at);
}

/* Take what came; true when the answer is whole, or never will be. In the head, `bytes` are its newest part. */
static bool take_bytes(struct connection *one, const char *bytes, long size)
{
    struct answer *answer = &one->answer;
    if (answer->body_left < 0) {
        char *end = memmem(one->head, one->head_size, "\r\n\r\n", 4);
        if (!end) return one->head_size == HEAD_LIMIT;
        size = bytes + size - (end + 4);
        end[3] = '\0';
        if (!read_head(answer, one->head)) return true;
    }
    answer->body_left -= size;
    return answer->body_left <= 0;
}

static void finish_answer(struct connection *one)
{
    bool is_readable = one->answer.body_left == 0;
    in_flight--;
    if (is_readable) count_answer(&tally, &one->answer, one->due, one->sent, plan.deadline);
    else tally.unreadable++;

    if (is_readable && !one->answer.closes && one->written == one->request->size) set_free(one);
    else open_again(one);
}

static void read_answer(struct connection *one)
{
    static char body[1 << 16];
    bool in_head = one->answer.body_left < 0;
    char *into = in_head ? one->head + one->head_size : body;
    ssize_t size = recv(one->fd, into, in_head ? HEAD_LIMIT - one->head_size : sizeof body, 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size > 0 && in_head) one->head_size += size;
    if (size <= 0) break_off(one);
    else if (take_bytes(one, into, size)) finish_answer(one);
}

static void handle(struct connection *one, uint32_t what)
{
    if (one->state == CONNECTING) finish_connecting(one);
    else if (one->state == FREE) open_again(one); /* the server closed it, as it may */
    else if (what & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_answer(one);
    else write_request(one);
}

static void sweep(double at)
{
    for (struct connection *one = connections; one < connections + plan.connections; one++) {
        if (one->state == BUSY && at - one->sent > plan.timeout) lose(one);
        else if (one->state == CONNECTING && at - one->since > CONNECT_LIMIT_S) rest(one);
        else if (one->state == DOWN && at - one->since > REST_S) open_connection(one);
    }
}

static void wake_at(double moment)
{
    static double armed;
    if (moment == armed) return;
    armed = moment;
    struct itimerspec at = { .it_value = { (time_t)moment, (long)(fmod(moment, 1) * 1e9) } };
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void wait_and_handle(void)
{
    static double swept;
    struct epoll_event ready[EVENTS];
    uint64_t expirations;
    int count = epoll_wait(events, ready, EVENTS, (int)(SWEEP_S * 1000));
    for (int i = 0; i < count; i++) {
        if (ready[i].data.ptr) handle(ready[i].data.ptr, ready[i].events);
        else if (read(timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN) give_up("timer");
    }
    double at = clock_s();
    if (at - swept < SWEEP_S) return;
    swept = at;
    sweep(at);
}

static void allow_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) give_up("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) give_up("setrlimit");
}

static void open_connections(void)
{
    struct epoll_event expiry = { .events = EPOLLIN, .data.ptr = NULL };
    connections = calloc(plan.connections, sizeof *connections);
    queue = calloc(plan.connections, sizeof *queue);
    events = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    if (!connections || !queue || epoll_ctl(events, EPOLL_CTL_ADD, timer, &expiry) < 0) give_up("cannot begin");

    for (long i = 0; i < plan.connections; i++) open_connection(&connections[i]);
    double began = clock_s();
    while ((long)queue_size < plan.connections && tally.connection_errors < plan.connections
        && clock_s() - began < CONNECT_LIMIT_S)
        wait_and_handle();
    errno = 0;
    if (!queue_size) give_up("nobody listens there");
}

static void run(void)
{
    tally.start = tally.last_answer = clock_s();
    for (double at = tally.start; is_offering(at) || in_flight; at = clock_s()) {
        send_what_is_due();
        if (plan.rate && queue_size && is_offering(at)) wake_at(next_due(at));
        wait_and_handle();
        if (!plan.seconds && !in_flight && clock_s() - tally.last_answer > plan.timeout) give_up("nobody answers");
    }
}

int main(int count, char **words)
{
    struct addrinfo wish = { .ai_socktype = SOCK_STREAM };
    plan = read_plan(count, words);
    if (getaddrinfo(plan.host, plan.port, &wish, &address)) give_up("there is no such address");
    requests = read_requests(plan.requests);
    allow_files();
    open_connections();
    run();
    print_tally(&tally, plan.seconds);
}
