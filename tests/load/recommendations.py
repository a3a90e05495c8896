"""Recommendations with everything on: how fast, how evenly, at what CPU, and where that CPU goes."""

from collections.abc import Mapping
from functools import partial

from tests.load.callers import BYPASS, CLIENTS, DRAWS, MODEL, SEED, USERS, Callers, callers_of
from tests.load.measure import Plan, Progress
from tests.load.own_generator import Load
from tests.load.recommendation_costs import divided, parts_table, processes_table, redis_table
from tests.load.recommendation_runs import Run, Ways, figures_table
from tests.load.redis_calls import redis_calls
from tests.load.report import Table
from tests.load.stack import Stack

CONCURRENCY = 32
RATES = (500, 1000)
# Enough that a server which stalls for a second is asked on by all who come meanwhile.
OPEN_CONNECTIONS = 1000
WARM_UP_S = 2.0
# The sampler needs a moment to begin.
MARGIN_S = 2.0
KEPT, BYPASSED = "kept answers", "bypassed"
CLOSED = (KEPT, BYPASSED)

HEADLINE = ("good/s", "p50 ms", "p99 ms", "p99 is", "CPU ms/request", "generator's", "hits", "others' CPU", "failed")
STEADY = ("good/s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "CPU ms/request", "hits", "others' CPU", "failed")


def recommendations_tables(stack: Stack, plan: Plan, report: Progress) -> list[Table]:
    """Measure each way of asking `plan.runs` times, in turn."""
    callers = callers_of(stack)
    ways = _ways(callers, plan)
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    for run in range(plan.runs):
        for name, (asking, load) in ways.items():
            report(f"recommendations, run {run + 1} of {plan.runs}, {name}")
            runs[name].append(warm_run(asking, load))
    report("recommendations, where the CPU goes")
    return [
        _closed({name: runs[name] for name in CLOSED}, plan),
        _open({name: runs[name] for name in ways if name not in CLOSED}, plan),
        processes_table(runs),
        redis_table(runs),
        *_parts(callers, runs, plan),
    ]


def _ways(callers: Callers, plan: Plan) -> dict[str, tuple[Callers, Load]]:
    closed = Load(connections=CONCURRENCY, seconds=plan.seconds)
    ways = {KEPT: (callers, closed), BYPASSED: (callers.asking(BYPASS), closed)}
    for rate in RATES:
        load = Load(connections=OPEN_CONNECTIONS, seconds=plan.open_seconds, rate=rate)
        ways[f"{rate}/s offered"] = (callers, load)
    return ways


def warm_run(callers: Callers, load: Load) -> Run:
    """Make the load for a while that is not counted, ask once for every user, then count."""
    callers.run(Load(connections=CONCURRENCY, seconds=WARM_UP_S))  # not counted
    callers.warm()
    before = redis_calls(callers.stack.redis_url)
    observed = callers.observed(load)
    return Run(observed=observed, redis=redis_calls(callers.stack.redis_url).since(before))


def _closed(ways: Ways, plan: Plan) -> Table:
    return figures_table(
        ways,
        HEADLINE,
        title=f"Recommendations: as fast as they are answered, concurrency {CONCURRENCY}",
        note=f"Medians of {plan.runs} runs of {plan.seconds:g} s; failed ones summed. {USERS} users, drawn by Zipf's "
        f"law (exponent 1, seed {SEED}; {DRAWS} draws, then again from the first) and sent by {CLIENTS} clients, each "
        "within its limit of 5000/s. Tokens, limits, validation, kept answers, metrics, logs are on. Before each run "
        "every user was asked for once; with `Cache-Control: no-cache` kept answers are bypassed. CPU of all processes "
        "of the stack, Redis among them, without the load generator's; others' CPU is a share of the machine.",
    )


def _open(ways: Ways, plan: Plan) -> Table:
    return figures_table(
        ways,
        STEADY,
        title="Recommendations: at a constant rate, whatever the server does",
        note=f"Medians of {plan.runs} runs of {plan.open_seconds:g} s over {OPEN_CONNECTIONS} connections; failed ones "
        "(refused, lost, or no 2xx) summed. Times count from when a request was due, so waiting for a connection and "
        "for a server that stalls is in them. Answers are kept for as long as usual: hits and misses as they fall.",
    )


def _parts(callers: Callers, ways: Ways, plan: Plan) -> list[Table]:
    load = Load(connections=CONCURRENCY, seconds=plan.seconds + MARGIN_S)
    asking: Mapping[str, Callers] = {KEPT: callers, BYPASSED: callers.asking(BYPASS)}
    loads = {name: partial(one.run, load) for name, one in asking.items()}
    tables = []
    for what in divided(MODEL):
        callers.warm()
        pids = [fact.pid for fact in callers.stack.facts() if fact.kind.startswith(what.kind)]
        tables.append(parts_table(what, ways, loads, seconds=plan.seconds, pids=pids))
    return tables
