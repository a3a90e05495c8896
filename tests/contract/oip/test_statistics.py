"""Statistics are exact sums over all web workers and runners, also over runners that were killed."""

import os
import signal
from typing import Any

import httpx

from tests.contract.oip.asking import Asker
from tests.factories.oip_models import sums_draft
from tests.factories.oip_server import OipServer
from tests.factories.tensors import json_input
from tests.factories.waiting import wait_until

NOTHING = {"count": 0, "ns": 0}


def statistics(http: httpx.Client, path: str) -> dict[str, Any]:
    (entry,) = http.get(f"/v2/models/{path}/stats").raise_for_status().json()["model_stats"]
    return dict(entry)


def infer_by_size(http: httpx.Client, path: str) -> dict[int, dict[str, int]]:
    return {batch["batch_size"]: batch["compute_infer"] for batch in statistics(http, path)["batch_stats"]}


def ask_rows(ask: Asker, model: str, *sizes: int) -> None:
    for rows in sizes:
        tensor = json_input(shape=[rows, 4], data=[1] * 4 * rows)
        ask.json(model, inputs=[tensor]).raise_for_status()


def test_counts_are_exact_over_a_killed_runner(server: OipServer, ask: Asker, http: httpx.Client) -> None:
    ref = server.publish(sums_draft(server.folder, "counted"))
    first = server.stage.wait_ready(ref)
    ask_rows(ask, "counted", 1, 3, 8)
    before = statistics(http, "counted")
    os.kill(first.pid, signal.SIGKILL)
    server.stage.wait_ready(ref, but_not=first.pid)
    # The web workers learn of the new runner one after the other; a refused request is not counted as an inference.
    wait_until(lambda: all(http.get("/v2/models/counted/ready").is_success for _ in range(10)))
    ask_rows(ask, "counted", 1)
    after = statistics(http, "counted/versions/1")

    assert before["inference_count"] == 12
    assert after["inference_count"] == 13
    assert after["inference_stats"]["success"]["count"] == 4
    assert after["execution_count"] == before["execution_count"] + 1
    assert after["last_inference"] > before["last_inference"] > 0


def test_each_web_worker_tells_the_same(server: OipServer, ask: Asker) -> None:
    ask_rows(ask, "sums", 1, 5)
    seen = set()
    for _ in range(8):
        with server.client() as other:  # a connection of its own, so that either worker may take it
            seen.add(statistics(other, "sums")["inference_count"])

    assert len(seen) == 1


def test_batches_are_told_by_size(ask: Asker, http: httpx.Client) -> None:
    before = infer_by_size(http, "sums")
    ask_rows(ask, "sums", 8)
    after = infer_by_size(http, "sums")
    grown = {size: total for size, total in after.items() if total != before.get(size)}

    # The largest batch is what the version's own proof measured to be best: eight rows may take more than one.
    assert sum(size * (total["count"] - before.get(size, NOTHING)["count"]) for size, total in grown.items()) == 8
    assert all(total["ns"] > before.get(size, NOTHING)["ns"] for size, total in grown.items())


def test_failures_are_counted_as_failures(ask: Asker, http: httpx.Client) -> None:
    before = statistics(http, "fails")["inference_stats"]["fail"]["count"]
    ask.json("fails", inputs=[json_input(data=[-1, 2])])
    after = statistics(http, "fails")

    assert after["inference_stats"]["fail"]["count"] == before + 1


def test_durations_are_those_of_the_work(ask: Asker, http: httpx.Client) -> None:
    before = statistics(http, "slow")["inference_stats"]
    ask.json("slow", inputs=[json_input(data=[1, 2])]).raise_for_status()
    after = statistics(http, "slow")["inference_stats"]

    computed = after["compute_infer"]["ns"] - before["compute_infer"]["ns"]
    succeeded = after["success"]["ns"] - before["success"]["ns"]
    assert 10_000_000 < computed <= succeeded < 30_000_000_000
