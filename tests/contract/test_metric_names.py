"""Metrics are what dashboard, alerts and documents say they are: none is made up, none goes untold."""

import ast
import re
from pathlib import Path
from typing import Any, Final

import yaml

from app.infra.metric_series import FileKind
from deploy.dashboard import SECTIONS

ROOT: Final = Path(__file__).resolve().parents[2]
RULES: Final = ROOT / "deploy" / "prometheus" / "rules"
DOCUMENTS: Final = ("operations.md", "caching.md", "releases.md", "models.md", "streaming.md", "jobs.md")

_DEFINED: Final = re.compile(r'(?:Counter|Gauge|Histogram|GaugeMetricFamily)\(\s*"(galley_[a-z0-9_]+)"', re.MULTILINE)
_ASKED: Final = re.compile(r"\b(galley_[a-z0-9_]+|flask_http_[a-z_]+)\b")
_OF_A_SAMPLE: Final = re.compile(r"_(total|bucket|sum|count)$")
# The exporter's own; app/web/metrics.py takes them by their names, too.
_EXPORTERS: Final = frozenset({"flask_http_request", "flask_http_request_duration_seconds"})


def defined() -> set[str]:
    """Return the metrics that the code defines."""
    sources = (path.read_text() for folder in ("app", "workers") for path in (ROOT / folder).rglob("*.py"))
    return {name for source in sources for name in _DEFINED.findall(source)}


def rules() -> list[dict[str, Any]]:
    """Return all rules of Prometheus."""
    files = (yaml.safe_load(path.read_text()) for path in RULES.glob("*.yml"))
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def queries() -> list[str]:
    """Return all that dashboard and rules ask for."""
    drawn = [query for section in SECTIONS for panel in section.panels for query in panel.queries.values()]
    return [*drawn, *(rule["expr"] for rule in rules())]


def modes() -> dict[str, str]:
    """Return how each gauge comes together over processes, by the place where it is made."""
    found = {}
    for path in (path for folder in ("app", "workers") for path in (ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Gauge":
                keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                mode = keywords.get("multiprocess_mode", "'all'")
                found[f"{path.name}:{node.lineno}"] = _constants(tree).get(mode, mode).strip("'")
    return found


def _constants(tree: ast.Module) -> dict[str, str]:
    """Return what a module's names stand for."""
    return {
        ast.unparse(target): ast.unparse(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }


def test_every_gauge_comes_together_over_processes() -> None:
    """One that does not is left out of each scrape."""
    combines = {place: FileKind.of(f"gauge_{mode}_1.db").combine for place, mode in modes().items()}

    assert len(combines) > 9
    assert set(combines.values()) <= {"sum", "max", "mostrecent"}


def test_metrics_are_found_in_the_code() -> None:
    assert {"galley_problems", "galley_runner_rows", "galley_jobs", "galley_ready"} <= defined()


def test_what_is_asked_for_exists() -> None:
    asked = {_OF_A_SAMPLE.sub("", name) for query in queries() for name in _ASKED.findall(query)}

    assert asked - defined() - _EXPORTERS == set()


def test_what_is_worked_out_beforehand_is_what_is_asked_for() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}

    assert {name for query in queries() for name in re.findall(r"\bgalley:[a-z0-9_:]+", query)} == recorded


def test_every_metric_is_told_of() -> None:
    told = "\n".join((ROOT / "docs" / name).read_text() for name in DOCUMENTS)

    assert {name for name in defined() if not re.search(rf"\b{name}(_total)?\b", told)} == set()
