"""The dashboard of Grafana as code: `python -m deploy.dashboard` writes deploy/grafana/dashboards/galley.json."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import orjson

DASHBOARD: Final = Path(__file__).with_name("grafana") / "dashboards" / "galley.json"

# Grafana's grid has 24 columns.
COLUMNS: Final = 24
WIDTH: Final = 8
HEIGHT: Final = 7
_SOURCE: Final = {"type": "prometheus", "uid": "prometheus"}


@dataclass(frozen=True)
class Panel:
    """One graph: queries by their legends, all of one unit of Grafana's."""

    title: str
    unit: str
    queries: dict[str, str]
    description: str = ""


@dataclass(frozen=True)
class Section:
    """Panels about one thing."""

    title: str
    panels: Sequence[Panel]


def _p99(histogram: str, by: str) -> str:
    return f"histogram_quantile(0.99, sum by ({by}, le) (rate({histogram}_bucket[5m])))"


SECTIONS: Final = (
    Section(
        "Traffic, errors, latency",
        [
            Panel("Requests", "reqps", {"{{status}}": "sum by (status) (rate(flask_http_request_total[5m]))"}),
            Panel("Failures of Galley's own", "percentunit", {"5xx": "galley:failures:ratio_rate5m"}),
            Panel(
                "Slowest percent of each route",
                "s",
                {"{{route}}": f"topk(10, {_p99('flask_http_request_duration_seconds', 'route')})"},
            ),
            Panel("Failures by code", "reqps", {"{{code}}": "sum by (code) (rate(galley_problems_total[5m])) > 0"}),
            Panel(
                "Answers of models",
                "s",
                {
                    "{{model}}/{{version}} p99": 'galley:inference_seconds:p99_5m{phase="total"}',
                    "{{model}}/{{version}} p50": 'galley:inference_seconds:p50_5m{phase="total"}',
                },
            ),
            Panel(
                "Where the time goes",
                "s",
                {"{{model}}/{{version}} {{phase}}": 'galley:inference_seconds:p99_5m{phase!="total"}'},
                "Slowest percent of waiting and computing; what is missing to the whole was spent in the web worker.",
            ),
        ],
    ),
    Section(
        "Saturation",
        [
            Panel(
                "Refused for want of room",
                "reqps",
                {"{{place}} {{code}}": "sum by (place, code) (rate(galley_refused_total[5m]))"},
            ),
            Panel(
                "What rows wait for their batch", "s", {"{{model}}/{{version}}": "galley:runner_queue_seconds:p99_5m"}
            ),
            Panel(
                "Rows per batch",
                "short",
                {
                    "{{model}}/{{version}}": "sum by (model, version) (rate(galley_runner_batch_rows_sum[5m]))"
                    " / sum by (model, version) (rate(galley_runner_batch_rows_count[5m]))"
                },
            ),
        ],
    ),
    Section(
        "Models",
        [
            Panel("Runners", "short", {"{{state}}": "sum by (state) (galley_controller_runners)"}),
            Panel(
                "Memory of versions",
                "bytes",
                {
                    "{{model}}/{{version}}": "sum by (model, version) (galley_controller_memory_bytes) > 0",
                    "MEMORY_BUDGET": "sum(galley_controller_memory_budget_bytes) > 0",
                },
            ),
            Panel(
                "Rows answered",
                "rowsps",
                {
                    "{{model}}/{{version}} {{outcome}}": "sum by (model, version, outcome)"
                    " (rate(galley_runner_rows_total[5m]))"
                },
            ),
            Panel(
                "Starts, failures, evictions",
                "short",
                {
                    "started": "sum(increase(galley_controller_starts_total[5m]))",
                    "failed": "sum(increase(galley_controller_failures_total[5m]))",
                    "made way": "sum(increase(galley_controller_evictions_total[5m]))",
                },
            ),
            Panel("Loading", "s", {"{{model}}": _p99("galley_controller_load_seconds", "model")}),
            Panel("Broken versions in the store", "short", {"broken": "max(galley_store_broken_versions)"}),
        ],
    ),
    Section(
        "Queues and jobs",
        [
            Panel("Jobs", "short", {"{{state}}": 'max by (state) (galley_jobs{state=~"queued|running"})'}),
            Panel("Chunks", "short", {"{{queue}} {{state}}": "max by (queue, state) (galley_job_chunks)"}),
            Panel("Work that nobody began", "s", {"{{queue}}": "max by (queue) (galley_job_unserved_seconds)"}),
            Panel("Oldest task in the broker", "s", {"{{queue}}": "max by (queue) (galley_queue_oldest_seconds)"}),
            Panel(
                "Rows of jobs",
                "rowsps",
                {"{{kind}} {{outcome}}": "sum by (kind, outcome) (rate(galley_job_rows_total[5m]))"},
            ),
            Panel(
                "Tasks", "short", {"{{task}} {{result}}": "sum by (task, result) (increase(galley_tasks_total[5m]))"}
            ),
            Panel(
                "Disk of jobs",
                "bytes",
                {
                    "free": "min(galley_job_disk_free_bytes)",
                    "JOB_DISK_RESERVE": "max(galley_job_disk_reserve_bytes)",
                },
            ),
            Panel("Disk of VAR_DIR", "bytes", {"free": "min(galley_disk_free_bytes)"}),
        ],
    ),
    Section(
        "Streams",
        [
            Panel("Open sockets", "short", {"{{stream}}": "sum by (stream) (galley_sockets)"}),
            Panel(
                "Events",
                "short",
                {"{{stream}} {{code}}": "sum by (stream, code) (rate(galley_stream_events_total[5m]))"},
            ),
            Panel("Slowest percent of events", "s", {"{{stream}}": _p99("galley_stream_event_seconds", "stream")}),
            Panel("Ended sockets", "short", {"{{code}}": "sum by (code) (increase(galley_sockets_closed_total[5m]))"}),
        ],
    ),
    Section(
        "Cache and Redis",
        [
            Panel(
                "Hits",
                "percentunit",
                {
                    "{{tier}}": 'sum by (tier) (rate(galley_cache_requests_total{outcome="hit"}[5m]))'
                    " / sum by (tier) (rate(galley_cache_requests_total[5m]))"
                },
            ),
            Panel("Kept by web workers", "bytes", {"bytes": "sum(galley_cache_bytes)"}),
            Panel(
                "Redis' memory",
                "bytes",
                {"{{role}}": "galley_redis_memory_bytes", "{{role}} maxmemory": "galley_redis_memory_limit_bytes > 0"},
            ),
        ],
    ),
    Section(
        "Processes",
        [
            Panel(
                "Processor",
                "short",
                {"{{part}}": "sum by (part) (rate(galley_process_cpu_seconds_total[5m]))"},
                "Cores.",
            ),
            Panel("Memory", "bytes", {"{{part}}": "sum by (part) (galley_process_resident_bytes)"}),
            Panel("Processes", "short", {"{{part}}": "sum by (part) (galley_processes)"}),
            Panel(
                "Descriptors of the process that has most",
                "percentunit",
                {"{{part}}": "galley_process_descriptors / galley_process_descriptors_limit"},
            ),
            Panel("Ready", "bool", {"{{part}}": "min by (part) (galley_ready)"}),
            Panel("What runs", "short", {"{{instance}} {{version}}": "galley_build_info"}),
        ],
    ),
)


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana reads it."""
    return {
        "uid": "galley",
        "title": "Galley",
        "tags": ["galley"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "panels": list(_laid_out(SECTIONS)),
    }


def _laid_out(sections: Sequence[Section]) -> Iterator[dict[str, Any]]:
    """Yield a row for each section, and its panels below it, three side by side."""
    ids, top = count(1), 0
    for section in sections:
        yield {"id": next(ids), "type": "row", "title": section.title, "collapsed": False, "panels": []} | _place(
            0, top, width=COLUMNS, height=1
        )
        for number, panel in enumerate(section.panels):
            below, beside = divmod(number, COLUMNS // WIDTH)
            yield _drawn(panel, next(ids)) | _place(
                beside * WIDTH, top + 1 + below * HEIGHT, width=WIDTH, height=HEIGHT
            )
        lines = -(-len(section.panels) // (COLUMNS // WIDTH))
        top += 1 + lines * HEIGHT


def _place(x: int, y: int, *, width: int, height: int) -> dict[str, Any]:
    return {"gridPos": {"x": x, "y": y, "w": width, "h": height}}


def _drawn(panel: Panel, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": expr, "legendFormat": legend}
            for place, (legend, expr) in enumerate(panel.queries.items())
        ],
    }


def text() -> bytes:
    """Return what is written."""
    return orjson.dumps(dashboard(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    DASHBOARD.write_bytes(text())
