"""Twenty minutes of everything at once, through nginx with TLS: what goes wrong, and which process grows."""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import TypeVar
from unittest import mock

import psutil
import psycopg
import redis

from tests.factories import stack as factory
from tests.factories.full_stack import FullStack, running_full_stack
from tests.load.background import meanwhile
from tests.load.measure import Plan, Progress
from tests.load.report import Table
from tests.load.soak_asks import ASKINGS, Asking
from tests.load.soak_calls import HttpCaller
from tests.load.soak_growth import growth_table
from tests.load.soak_jobs import ROWS, JobCaller
from tests.load.soak_logs import Log, LogWatcher, galley_logs, nginx_complaint, postgres_complaint
from tests.load.soak_redis import Kept, data_slope, kept, kept_table
from tests.load.soak_samples import SAMPLE_S, Sampler
from tests.load.soak_scrapes import ScrapeCaller, scrapes_table
from tests.load.soak_streams import STREAMINGS, WORKS_PER_SESSION, StreamCallers, Streaming
from tests.load.soak_tally import SoakTally, answers_table, troubles_table
from tests.load.soak_verdict import verdict_table
from tests.load.stack import Stack

# Tokens outlive the soak.
SPARE_S = 600
REPORT_S = 60.0
# Before it begins there are so many times the callers for so long, who ask as fast as they are answered: as many
# connections to Redis, PostgreSQL and nginx are kept as were ever used at once.
HURRY_S, HURRY_TIMES = 45.0, 4
# They have numbers of their own, from this one on.
STRANGERS = 1000

Caller = TypeVar("Caller", Asking, Streaming)


def soak_tables(stack: Stack, plan: Plan, report: Progress) -> list[Table]:
    """Load a full stack of its own, which has the models of `stack`, for `plan.soak_seconds`."""
    like = factory.Stack(var_dir=Path(stack.environment["VAR_DIR"]))
    lifetime_s = round(plan.soak_seconds) + SPARE_S
    with running_full_stack(like, TOKEN_LIFETIME_S=f"{lifetime_s}") as full:
        names = redis_names(full)
        # Asked once: whoever asked at each look would be part of what is measured.
        pids = [*first_pids(full), *names]
        sampler = Sampler(first_pids=lambda: pids, names=names)
        scraper = ScrapeCaller(full.stack.url)
        watcher = LogWatcher(_logs(full))
        report(f"soak, {HURRY_S:g} s of haste first")
        with _load(full, [hurried(one) for one in ASKINGS], [hurried(one) for one in STREAMINGS]):
            Event().wait(HURRY_S)
        # What parts said while they started, or were in haste, is not of the soak.
        watcher.skip()
        with (
            meanwhile(watcher.work),
            _load(full, ASKINGS, STREAMINGS) as tallies,
            meanwhile(sampler.work),
            meanwhile(scraper.work),
        ):
            looks = _looks(full, plan.soak_seconds, report)
    scraper.read()
    everybody = [*tallies, scraper.tally]
    return [
        answers_table(tallies, seconds=plan.soak_seconds, note=_note()),
        verdict_table(
            sampler.lives, everybody, watcher.counts, seconds=plan.soak_seconds, data_slopes=_data_slopes(looks, plan)
        ),
        scrapes_table(scraper),
        growth_table(sampler.lives, seconds=plan.soak_seconds),
        kept_table(looks, seconds=plan.soak_seconds),
        troubles_table(everybody, watcher.counts),
    ]


def _data_slopes(looks: dict[str, list[Kept]], plan: Plan) -> dict[str, float]:
    return {f"redis, {role}": data_slope(those, seconds=plan.soak_seconds) for role, those in looks.items()}


def _logs(full: FullStack) -> list[Log]:
    return [
        *galley_logs(full.stack.var_dir / "log"),
        Log(full.nginx.error_log, nginx_complaint, "nginx"),
        Log(full.postgres.log, postgres_complaint, "postgres"),
    ]


def first_pids(full: FullStack) -> Iterator[int]:
    """Yield the first process of each part but Redis; all else of theirs was started by them."""
    assert full.stack.launcher is not None
    yield full.stack.launcher.pid
    yield full.nginx.pid
    yield postgres_pid(full.database_url)


def redis_names(full: FullStack) -> dict[int, str]:
    """Tell the two servers apart, by their processes."""
    return {redis_pid(full.redis.url): "redis, cache", redis_pid(full.state_redis.url): "redis, state"}


def redis_pid(url: str) -> int:
    """Return the process of a Redis of this machine."""
    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def postgres_pid(database_url: str) -> int:
    """Return the first process of a PostgreSQL of this machine: the one that starts another for each connection."""
    with psycopg.connect(database_url.replace("+psycopg", "", 1)) as connection:
        parent = psutil.Process(connection.info.backend_pid).parent()
    assert parent is not None
    return parent.pid


def hurried(caller: Caller) -> Caller:
    """Return the same kind of caller, more of it, with other payments, which waits for nothing but the answers."""
    if isinstance(caller, Asking):
        asks = caller.questions
        return replace(
            caller,
            callers=HURRY_TIMES * caller.callers,
            rate=math.inf,
            questions=lambda number: asks(STRANGERS + number),
        )

    works = caller.works
    return replace(
        caller, sockets=HURRY_TIMES * caller.sockets, rate=math.inf, works=lambda number: works(STRANGERS + number)
    )


@contextmanager
def _load(full: FullStack, askings: Sequence[Asking], streamings: Sequence[Streaming]) -> Iterator[list[SoakTally]]:
    """Have callers at work for the length of the block; their tallies are whole after it."""
    token = full.stack.new_clients_token("infer", "jobs")
    make_client = partial(full.client, token)
    jobs, streams = JobCaller(make_client), StreamCallers(full.url, token, streamings)
    callers = [HttpCaller(one, number, make_client) for one in askings for number in range(one.callers)]
    with ExitStack() as working:
        # How a client that takes no certificates of its own is told of one: OpenSSL reads it there.
        working.enter_context(mock.patch.dict("os.environ", SSL_CERT_FILE=f"{full.nginx.ca}"))
        for work in (*(caller.work for caller in callers), jobs.work, streams.work):
            working.enter_context(meanwhile(work))
        yield [*(caller.tally for caller in callers), jobs.tally, *streams.tallies]


def _looks(full: FullStack, seconds: float, report: Progress) -> dict[str, list[Kept]]:
    """Wait for the end, and ask both Redis servers now and then what they keep."""
    urls = {"cache": full.redis.url, "state": full.state_redis.url}
    looks: dict[str, list[Kept]] = {name: [] for name in urls}
    passed, never = 0.0, Event()
    while passed < seconds:
        report(f"soak, {passed:g} of {seconds:g} s")
        pause_s = min(REPORT_S, seconds - passed)
        never.wait(pause_s)
        passed += pause_s
        for name, url in urls.items():
            looks[name].append(kept(url, at=passed))
    return looks


def _note() -> str:
    asked = ", ".join(f"{one.name} {one.callers * one.rate:g}/s" for one in ASKINGS)
    streamed = ", ".join(f"{one.sockets} sockets of {one.name}" for one in STREAMINGS)
    return (
        f"Through nginx with TLS, PostgreSQL and two Redis servers behind it, all in one run: {asked}; {streamed}, in "
        f"sessions of {WORKS_PER_SESSION}; jobs of {ROWS} recommendations one after the other, whose time is from the "
        "post to the last line of the results. Before, "
        f"for {HURRY_S:g} s, {HURRY_TIMES} times the callers without a pause: so many connections are kept from then "
        "on. Every answer is looked at. What came again are sockets that were cut "
        f"and frames that were refused, which the client sees to. Processes are looked at every {SAMPLE_S:g} s."
    )
