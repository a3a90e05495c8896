"""A real Prometheus reads a running stack: rules are worked out, and the dashboard has something to draw."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from deploy.dashboard import SECTIONS
from tests.factories.parts import needed
from tests.factories.stack import ROOT, Stack, classify, free_port
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

RULES: Final = ROOT / "deploy" / "prometheus"
# Panels that have something to draw although nothing goes wrong.
CALM: Final = (
    "Requests",
    "Slowest percent of each route",
    "Answers of models",
    "Where the time goes",
    "Rows per batch",
    "Runners",
    "Memory of versions",
    "Rows answered",
    "Jobs",
    "Oldest task in the broker",
    "Disk of jobs",
    "Disk of VAR_DIR",
    "Redis' memory",
    "Processor",
    "Memory",
    "Processes",
    "Descriptors of the process that has most",
    "Ready",
    "What runs",
)
# What a busy test machine may set off.
BUSY: Final = frozenset(
    {"GalleyDown", "GalleySlow", "GalleyQueuesLong", "GalleyDiskShort", "GalleyDiskFull", "GalleyOverloaded"}
)


@pytest.fixture
def prometheus(stack: Stack, tmp_path: Path) -> Iterator[httpx.Client]:
    """A Prometheus that reads the stack each second by the rules of deploy/."""
    binary, port = needed("prometheus", package="prometheus"), free_port()
    config = (RULES / "prometheus.yml").read_text()
    config = config.replace("15s", "1s").replace("127.0.0.1:8000", f"127.0.0.1:{stack.port}")
    (tmp_path / "prometheus.yml").write_text(config.replace("rules/", f"{RULES}/rules/"))
    command: list[str | Path] = [
        binary, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30) as client:
            wait_until(lambda: _asked(client, "query", query="vector(1)"), timeout_s=60)
            yield client
    finally:
        process.terminate()
        process.wait(30)


def _asked(client: httpx.Client, path: str, **parameters: str) -> dict[str, Any]:
    """Return what Prometheus answers; nothing while it does not."""
    with suppress(httpx.TransportError):
        answer = client.get(f"/{path}", params=parameters)
        if answer.is_success:
            found: dict[str, Any] = answer.json()["data"]
            return found
    return {}


def series(prometheus: httpx.Client, query: str) -> list[Any]:
    """Return what a query finds."""
    found: list[Any] = prometheus.get("/query", params={"query": query}).raise_for_status().json()["data"]["result"]
    return found


def test_prometheus_reads_the_stack(stack: Stack, prometheus: httpx.Client) -> None:
    picture = stack.picture.read_bytes()
    panels = {panel.title: list(panel.queries.values()) for section in SECTIONS for panel in section.panels}
    with stack.client() as client:

        def has_all() -> bool:
            # One that a busy machine refuses is not what this is about: the next may be answered.
            return classify(client, picture).is_success and all(series(prometheus, panels[title][0]) for title in CALM)

        wait_until(has_all, timeout_s=60)

    assert {one["metric"]["job"]: one["value"][1] for one in series(prometheus, "up")} == {"galley": "1"}
    refused = [
        query for queries in panels.values() for query in queries if not _asked(prometheus, "query", query=query)
    ]
    assert refused == []


def test_no_rule_fails_and_no_alert_fires_while_all_is_well(stack: Stack, prometheus: httpx.Client) -> None:
    def rules() -> list[dict[str, Any]]:
        groups = _asked(prometheus, "rules").get("groups", [])
        return [rule for group in groups for rule in group["rules"]]

    wait_until(lambda: rules() and all(rule["health"] != "unknown" for rule in rules()), timeout_s=60)

    assert [rule["name"] for rule in rules() if rule["health"] != "ok"] == []
    wait_until(lambda: series(prometheus, "count_over_time(up[2m]) > 15"), timeout_s=60)
    # Pending is as bad: those that wait for minutes would never fire here.
    wait_until(lambda: rules() and not _alarmed(rules()), timeout_s=60)
    assert _alarmed(rules()) == []


def _alarmed(rules: list[dict[str, Any]]) -> list[str]:
    names = [rule["name"] for rule in rules if rule.get("state") in {"pending", "firing"}]
    return [name for name in names if name not in BUSY]
