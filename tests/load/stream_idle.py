"""What an idle socket takes, and what those who send feel of thousands of them, all on one web worker."""

import signal
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import psutil

from tests.factories.waiting import wait_until
from tests.load.measure import Measured, Plan, Progress
from tests.load.redis_calls import used_bytes
from tests.load.report import Table
from tests.load.socket_load import Fleet, Pace, fleet
from tests.load.stack import Stack
from tests.load.stream_runs import CONNECTIONS, PAYERS, StreamRun, driven, names
from tests.load.stream_servers import GALLEY, PLAIN, StreamServer, galley, plain_flask_beside

WEB_MASTER, WEB_WORKER = "web master", "web worker"
SETTLING_S = 2.0
START_LIMIT_S = 60.0
KILOBYTE = 1000


@dataclass(frozen=True, kw_only=True)
class Held:
    """Bytes of the web worker, proportional and resident, and what Redis has in use."""

    pss: int
    rss: int
    redis: int


@dataclass(frozen=True, kw_only=True)
class IdleRun:
    """One run: memory before and after the idle sockets came, and the load without and with them."""

    sockets: int
    before: Held
    after: Held
    alone: StreamRun
    beside: StreamRun

    def kilobytes(self, part: str) -> float:
        """Return what each idle socket takes of a part of `Held`."""
        return (getattr(self.after, part) - getattr(self.before, part)) / self.sockets / KILOBYTE

    @property
    def ratio(self) -> float:
        """By how much the p99 grew."""
        return self.beside.report.times.p99 / max(0.001, self.alone.report.times.p99)


def idle_table(stack: Stack, plan: Plan, report: Progress) -> Table:
    """Measure both servers in turn, each run on a web worker that has just begun."""
    ours = galley(stack)
    runs: dict[str, list[IdleRun]] = {GALLEY: [], PLAIN: []}
    with one_web_worker(stack):
        for run in range(plan.runs):
            report(f"{plan.idle_sockets} idle sockets, run {run + 1} of {plan.runs}")
            replace_web_worker(stack)
            for started in (nullcontext(ours), plain_flask_beside(stack)):
                with started as server:
                    runs[server.name].append(_run(server, f"idle-{run}", plan))
    return _table(runs, plan)


@contextmanager
def one_web_worker(stack: Stack) -> Iterator[None]:
    """Tell gunicorn to do with one worker for the length of the block."""
    usual = len(_pids(stack, WEB_WORKER))
    master = psutil.Process(*_pids(stack, WEB_MASTER))
    for _ in range(usual - 1):
        master.send_signal(signal.SIGTTOU)
    wait_until(lambda: len(_pids(stack, WEB_WORKER)) == 1, timeout_s=START_LIMIT_S)
    try:
        yield
    finally:
        for _ in range(usual - 1):
            master.send_signal(signal.SIGTTIN)
        wait_until(lambda: len(_pids(stack, WEB_WORKER)) == usual, timeout_s=START_LIMIT_S)


def replace_web_worker(stack: Stack) -> None:
    """End the worker, and wait until another one answers: what memory it grew before is not to be counted."""
    (before,) = _pids(stack, WEB_WORKER)
    psutil.Process(before).terminate()
    wait_until(lambda: len(now := _pids(stack, WEB_WORKER)) == 1 and before not in now, timeout_s=START_LIMIT_S)
    stack.call("GET", "/health/ready")


def _run(server: StreamServer, name: str, plan: Plan) -> IdleRun:
    pace = Pace(in_flight=1, seconds=plan.seconds)
    with fleet(server.target) as sockets:
        busy = sockets.open(names(name, CONNECTIONS), PAYERS)
        alone = driven(server, sockets, busy, pace)
        before = _held(server)
        _open_idle(sockets, name, plan.idle_sockets)
        return IdleRun(
            sockets=plan.idle_sockets,
            before=before,
            after=_held(server),
            alone=alone,
            beside=driven(server, sockets, busy, pace),
        )


def _open_idle(sockets: Fleet, name: str, count: int) -> None:
    sockets.open(names(f"{name}-nobody", count), PAYERS)
    sockets.attend(SETTLING_S)


def _held(server: StreamServer) -> Held:
    workers = [fact for fact in server.processes.facts() if fact.kind == WEB_WORKER]
    return Held(
        pss=sum(fact.pss_bytes for fact in workers),
        rss=sum(psutil.Process(fact.pid).memory_info().rss for fact in workers),
        redis=used_bytes(server.redis_url) if server.redis_url else 0,
    )


def _pids(server: Measured, kind: str) -> list[int]:
    return [fact.pid for fact in server.facts() if fact.kind == kind]


def _table(runs: dict[str, list[IdleRun]], plan: Plan) -> Table:
    return Table(
        title=f"Streams: {plan.idle_sockets} idle sockets on one web worker",
        columns=[
            "",
            "kB PSS each",
            "kB RSS each",
            "Redis, kB each",
            "p99 ms without",
            "p99 ms with",
            "p99 is",
            "failed",
        ],
        rows=[[name, *_figures(measured)] for name, measured in runs.items()],
        note=f"Medians of {plan.runs} runs. What each idle socket adds to the web worker, to its proportional and its "
        "resident memory, and to Redis; the kernel's buffers are not in it. Each run begins with a new worker, which "
        f"has served {CONNECTIONS} sockets before; those, one payment in flight each, are timed for {plan.seconds:g} s "
        "before the idle ones come and again while they are there.",
    )


def _figures(runs: Sequence[IdleRun]) -> list[str]:
    failed = [run.report.failed for one in runs for run in (one.alone, one.beside)]
    return [
        *(f"{statistics.median(one.kilobytes(part) for one in runs):.1f}" for part in ("pss", "rss", "redis")),
        f"{statistics.median(one.alone.report.times.p99 for one in runs):.1f}",
        f"{statistics.median(one.beside.report.times.p99 for one in runs):.1f}",
        f"{statistics.median(one.ratio for one in runs):.2f}×",
        f"{sum(sum(one.values()) for one in failed)}",
    ]
