"""Where the CPU of a payment over a socket goes within Galley's processes."""

import re
from collections.abc import Mapping

from tests.load.measure import Plan
from tests.load.python_profile import RUNNER_PARTS, WEB_PARTS, Parts, Profile, profile
from tests.load.report import Table
from tests.load.socket_load import Pace
from tests.load.stream_runs import Runs, median, stream_run
from tests.load.stream_servers import MODEL, StreamServer

# Before what requests have in common: the first match names the part.
STREAM_PARTS: Parts = (
    ("frames", re.compile(r"^(wsproto/|simple_websocket/|flask_sock/|app/web/sockets/(connection|protocol))")),
    ("sessions", re.compile(r"^app/(web/sockets/|services/stream)")),
    ("events", re.compile(r"^app/scenarios/")),
    *WEB_PARTS,
)
SEQUENCE_PARTS: Parts = (
    ("state in Redis", re.compile(r"^(redis/|app/infra/redis|workers/runner/sequence_store)")),
    ("features", re.compile(r"^app/scenarios/")),
    ("sequences", re.compile(r"^workers/runner/sequences")),
    *RUNNER_PARTS,
)
DIVIDED = {"a web worker": ("web worker", STREAM_PARTS), "the runner": (f"runner {MODEL}/", SEQUENCE_PARTS)}
# Sampling begins when the sampler is ready, and should end before the load does.
MARGIN_S = 4.0


def parts_tables(server: StreamServer, runs: Mapping[int, Runs], plan: Plan) -> list[Table]:
    """Sample the web workers and the runner under each load; `runs` are those that were timed, by events in flight."""
    return [_table(name, server, runs, plan) for name in DIVIDED]


def _table(name: str, server: StreamServer, runs: Mapping[int, Runs], plan: Plan) -> Table:
    kind, _ = DIVIDED[name]
    seen = {count: _profile(name, server, count, plan) for count in runs}
    paid = {count: median(runs[count], lambda run: run.cpu_ms(kind)) for count in runs}
    parts = {
        part: max(one.shares.get(part, 0.0) for one in seen.values()) for one in seen.values() for part in one.shares
    }
    rows = [
        [part, *(f"{paid[count] * one.shares.get(part, 0.0):.3f}" for count, one in seen.items())]
        for part in sorted(parts, key=lambda part: parts[part], reverse=True)
    ]
    samples = ", ".join(f"{one.problem or one.samples}" for one in seen.values())
    return Table(
        title=f"Streams: where the CPU of {name} goes",
        columns=["CPU ms/event", *(f"{count} in flight" for count in seen)],
        rows=[*rows, ["together", *(f"{cost:.3f}" for cost in paid.values())]],
        note=f"What the table by process says, divided by the samples that py-spy took in another run ({samples}): the "
        "innermost frame that a part claims decides, so a library's time is its caller's.",
    )


def _profile(name: str, server: StreamServer, in_flight: int, plan: Plan) -> Profile:
    kind, parts = DIVIDED[name]
    pids = [fact.pid for fact in server.processes.facts() if fact.kind.startswith(kind)]
    pace = Pace(in_flight=in_flight, seconds=plan.seconds + MARGIN_S)
    return profile(
        pids, lambda: stream_run(server, f"parts-{kind}-{in_flight}", pace), seconds=plan.seconds, parts=parts
    )
