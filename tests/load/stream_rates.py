"""How many payments 50 sockets get scored, and what one costs whom: Galley, and plain Flask in the same run."""

from contextlib import nullcontext

from tests.load.measure import Plan, Progress
from tests.load.process_costs import process_costs_table
from tests.load.report import Table
from tests.load.socket_load import Pace
from tests.load.stack import Stack
from tests.load.stream_parts import parts_tables
from tests.load.stream_runs import CONNECTIONS, PAYERS, StreamRun, Ways, figures_table, median, stream_run
from tests.load.stream_servers import GALLEY, PLAIN, galley, plain_flask_beside

IN_FLIGHT = (1, 8)


def rates_tables(stack: Stack, plan: Plan, report: Progress) -> list[Table]:
    """Measure both servers in turn, `plan.runs` times, and divide Galley's CPU."""
    ours = galley(stack)
    ways: dict[str, list[StreamRun]] = {way(name, count): [] for count in IN_FLIGHT for name in (GALLEY, PLAIN)}
    for run in range(plan.runs):
        report(f"streams, run {run + 1} of {plan.runs}")
        for started in (nullcontext(ours), plain_flask_beside(stack)):
            with started as server:
                for count in IN_FLIGHT:
                    pace = Pace(in_flight=count, seconds=plan.seconds)
                    ways[way(server.name, count)].append(stream_run(server, f"rates-{run}-{count}", pace))
    return [
        _rates_table(ways, plan),
        _processes_table(ways),
        *parts_tables(ours, {count: ways[way(GALLEY, count)] for count in IN_FLIGHT}, plan),
    ]


def way(server: str, in_flight: int) -> str:
    """Name a server and how many events each socket has in flight."""
    return f"{server}, {in_flight} in flight"


def ratio(ways: Ways, in_flight: int) -> float:
    """Return how many times as many events Galley answers as plain Flask does."""
    ours, theirs = (median(ways[way(name, in_flight)], lambda run: run.report.rate) for name in (GALLEY, PLAIN))
    return ours / max(1.0, theirs)


def _rates_table(ways: Ways, plan: Plan) -> Table:
    ratios = ", ".join(f"{ratio(ways, count):.2f}× with {count} in flight" for count in IN_FLIGHT)
    return figures_table(
        ways,
        title=f"Streams: payments scored over {CONNECTIONS} sockets",
        note=f"Galley's rate is plain Flask's {ratios}. Medians of {plan.runs} runs of {plan.seconds:g} s in a closed "
        "loop: each socket sends its next payments when some were answered, numbers, ids and scores are checked, times "
        f"count from sending. {PAYERS.accounts} accounts per socket, new ones in each run. Galley has everything on "
        "(tokens, limits, sessions, state, answers by event id and last seq in Redis before they are sent, metrics) "
        "and two web workers, a runner and Redis on these cores. Plain Flask is one gunicorn gevent worker with "
        "flask-sock, the same frozen TorchScript file called with a payment at a time, features by the same code, the "
        "state in a dict: nothing is checked, numbered or remembered, and a second worker would know other accounts. "
        "CPU is of all processes of a server, without the load generator's, which is Python on the same cores.",
    )


def _processes_table(ways: Ways) -> Table:
    costs = {name: [run.costs_ms for run in runs] for name, runs in ways.items()}
    return process_costs_table(costs, title="Streams: CPU per payment, by process", each="event")
