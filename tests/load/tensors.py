"""Tensors by the Open Inference Protocol, beside other servers that serve the same file in the same run."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.load.http_load import Generator, Request
from tests.load.measure import Measured, Measurement, Plan, Progress, measure, median_of
from tests.load.peers.environments import Uninstallable
from tests.load.peers.servers import Peer, peers
from tests.load.report import Table
from tests.load.stack import Stack
from tests.load.tensor_model import NAME, binary_request, json_request, write_model

CONNECTIONS = 32
FORMS: dict[str, Callable[..., Request]] = {"JSON": json_request, "binary": binary_request}


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that runs: its processes, and one request per form that it knows."""

    name: str
    processes: Measured
    requests: dict[str, Request]


def tensors_tables(stack: Stack, generator: Generator, plan: Plan, report: Progress) -> list[Table]:
    """Measure Galley and each peer in turn, `plan.runs` times."""
    with tempfile.TemporaryDirectory(prefix="galley-mlp-") as folder:
        artifact = write_model(Path(folder))
        stack.publish(artifact, NAME)
        others, skipped = _installed(peers(), report)
        measured: dict[tuple[str, str], list[Measurement]] = {}
        for run in range(plan.runs):
            report(f"tensors, run {run + 1} of {plan.runs}")
            for start in (_galley(stack), *(_running(peer, artifact) for peer in others)):
                with start as server:
                    for form, request in server.requests.items():
                        figure = _measure(server, generator, request, plan)
                        measured.setdefault((server.name, form), []).append(figure)
    return [_table(measured, skipped, generator.name, plan)]


def _installed(candidates: Sequence[Peer], report: Progress) -> tuple[list[Peer], dict[str, str]]:
    """Return the peers that could be installed, and why each other could not."""
    there, skipped = [], {}
    for peer in candidates:
        report(f"installing {peer.name}, if it is not there yet")
        try:
            peer.environment.build()
            there.append(peer)
        except Uninstallable as err:
            skipped[peer.name] = str(err)
    return there, skipped


@contextmanager
def _galley(stack: Stack) -> Iterator[Server]:
    requests = {form: make(stack.url, stack.token) for form, make in FORMS.items()}
    yield Server(name="Galley", processes=stack, requests=requests)


@contextmanager
def _running(peer: Peer, artifact: Path) -> Iterator[Server]:
    forms = [form for form in FORMS if form == "JSON" or peer.has_binary]
    with ExitStack() as started:
        running = started.enter_context(peer.running(artifact))
        yield Server(name=peer.name, processes=running, requests={form: FORMS[form](running.url) for form in forms})


def _measure(server: Server, generator: Generator, request: Request, plan: Plan) -> Measurement:
    generator.run(request, connections=CONNECTIONS, seconds=2)  # warm, not counted
    return measure(server.processes, generator, request, connections=CONNECTIONS, seconds=plan.seconds)


def _table(
    measured: dict[tuple[str, str], list[Measurement]], skipped: dict[str, str], generator: str, plan: Plan
) -> Table:
    own = {form: _rate(measured["Galley", form]) for form in FORMS}
    rows = [
        [
            f"{name}, {form}",
            f"{_rate(runs):.0f}",
            f"{own[form] / max(1.0, _rate(runs)):.2f}×" if name != "Galley" else "",
            f"{median_of(runs, lambda one: one.load.p50_ms):.1f}",
            f"{median_of(runs, lambda one: one.load.p99_ms):.1f}",
            f"{median_of(runs, lambda one: sum(one.cpu_ms_per_request.values())):.2f}",
            f"{sum(one.load.errors for one in runs)}",
        ]
        for (name, form), runs in measured.items()
    ]
    absent = "".join(f" {name} could not be installed here ({why})." for name, why in skipped.items())
    return Table(
        title="Tensors: one row of an MLP 784 → 256 → 256 → 10 per request",
        columns=["server, form", "requests/s", "Galley's is", "p50 ms", "p99 ms", "CPU ms/request", "errors"],
        rows=rows,
        note=f"Medians of {plan.runs} runs of {plan.seconds:g} s at concurrency {CONNECTIONS}, load by {generator}; "
        "each run measures all servers in turn. CPU of all processes of a server together. Galley runs with everything "
        "on: tokens, limits, routing, metrics, a log line per request. The others serve the same frozen TorchScript "
        f"file from a custom model with one torch thread, without any of these.{absent}",
    )


def _rate(runs: Sequence[Measurement]) -> float:
    return median_of(runs, lambda one: one.load.rate)
