"""Fifty small models in the memory of ten: each is called in turn, and nothing may grow."""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from app.inference.directory import RunnerRecord
from model_store.publisher import VersionDraft
from tests.factories.controllers import RUNNER_TITLE
from tests.factories.oip_models import sums_draft
from tests.factories.oip_server import OipServer, running_oip_server
from tests.factories.stack import title_of
from tests.factories.tensors import json_input
from tests.factories.waiting import wait_until
from tests.load.measure import Plan, Progress
from tests.load.report import Table

MODELS, FITTING, ROUNDS = 50, 10, 3
LOAD_LIMIT_S = 60.0
BODY = {"inputs": [json_input(shape=[1, 4], data=[1, 2, 3, 4])]}


@dataclass(frozen=True, kw_only=True)
class Round:
    """One call of each model, and what the server held afterwards."""

    seconds: float
    refusals: int
    failed: int
    runners: int
    processes: int
    descriptors: int
    mebibytes: float


def many_models_tables(_plan: Plan, report: Progress) -> list[Table]:
    """Call all models in turn, several rounds, on a server of their own whose budget fits ten of them."""
    with running_oip_server(drafts=partial(_drafts, count=FITTING)) as server:
        # All at once: runners share pages, so one alone is said to take several times as much.
        wait_until(lambda: all(runner.memory_bytes for runner in _runners(server)))
        budget = sum(runner.memory_bytes for runner in _runners(server))
    rounds = []
    with running_oip_server(drafts=partial(_drafts, count=1), memory_budget=budget) as server:
        for draft in _drafts(server.folder, count=MODELS)[1:]:
            server.publish(draft)
        for number in range(ROUNDS):
            report(f"{MODELS} models in the memory of {FITTING}, round {number + 1} of {ROUNDS}")
            rounds.append(_round(server))
    return [_table(rounds, budget)]


def _runners(server: OipServer) -> list[RunnerRecord]:
    return [server.stage.wait_ready(ref) for ref in server.versions.values()]


def _drafts(folder: Path, *, count: int) -> list[VersionDraft]:
    return [sums_draft(folder, f"small-{number}") for number in range(count)]


def _round(server: OipServer) -> Round:
    started = time.monotonic()
    refusals = failed = 0
    with server.client() as client:
        for number in range(MODELS):
            refused, is_good = _call(client, f"small-{number}")
            refusals += refused
            failed += not is_good
    seconds = time.monotonic() - started
    family = server.processes()
    return Round(
        seconds=seconds,
        refusals=refusals,
        failed=failed,
        runners=sum(RUNNER_TITLE in title_of(process) for process in family),
        processes=len(family),
        descriptors=sum(process.num_fds() for process in family),
        mebibytes=sum(process.memory_full_info().pss for process in family) / 2**20,
    )


def _call(client: httpx.Client, model: str) -> tuple[int, bool]:
    """Call a model until it answers, as often as it says to come again; return how often it did, and whether it did."""
    deadline = time.monotonic() + LOAD_LIMIT_S
    refusals = 0
    while True:
        answer = client.post(f"/v2/models/{model}/infer", json=BODY)
        if answer.status_code != 503 or time.monotonic() > deadline:
            return refusals, answer.is_success
        refusals += 1
        time.sleep(float(answer.headers["Retry-After"]))


def _table(rounds: list[Round], budget: int) -> Table:
    rows = [
        [
            f"{number}",
            f"{one.seconds:.1f}",
            f"{one.refusals}",
            f"{one.failed}",
            f"{one.runners}",
            f"{one.processes}",
            f"{one.descriptors}",
            f"{one.mebibytes:.0f}",
        ]
        for number, one in enumerate(rounds, 1)
    ]
    return Table(
        title=f"Many models: {MODELS} small models in the memory of {FITTING}",
        columns=["round", "seconds", "503 first", "failed", "runners", "processes", "descriptors", "MiB PSS"],
        rows=rows,
        note=f"MEMORY_BUDGET is what the runners of {FITTING} take together ({budget / 2**20:.0f} MiB). Each round "
        "calls every model once, one after the other, and comes again when a 503 says so; the counts are of the whole "
        "server (web workers, controller, forkserver, runners, Redis not counted) after the round.",
    )
