"""For each alert of deploy/prometheus: what is measured when it must fire, and when it must not.

Values are in promtool's notation, one a minute: `0+60x40` begins at 0 and grows by 60 each minute for 40 minutes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

EVALUATED_AT: Final = "35m"
_ANSWERS: Final = 'galley_inference_seconds_bucket{model="m",version="1",phase="total",le='
_WAITS: Final = 'galley_runner_queue_seconds_bucket{model="m",version="1",le='


_REQUESTS: Final = 'flask_http_request_total{status="%s"}'
_LOADING: Final = 'galley_problems_total{code="model_loading"}'
_RESENT: Final = 'galley_tasks_total{task="galley.maintenance.resend_jobs",result="ok"}'


@dataclass(frozen=True)
class AlertCase:
    """Series by name and labels: those of a calm hour, and what they are instead when the alert must fire."""

    calm: Mapping[str, str]
    alarming: Mapping[str, str]
    labels: Mapping[str, str]
    """Those of the alert that fires, but for its severity."""


def _one(series: str, /, *, calm: str, alarming: str, **labels: str) -> AlertCase:
    return AlertCase({series: calm}, {series: alarming}, labels)


def _spread(buckets: str, /, **labels: str) -> AlertCase:
    """All of a histogram within 10 ms, or between one and five seconds."""
    quick, slow, slowest, all_of_them = (f'{buckets}"{edge}"}}' for edge in ("0.01", "1.0", "5.0", "+Inf"))
    total = {slowest: "0+60x60", all_of_them: "0+60x60"}
    calm = {quick: "0+60x60", slow: "0+60x60", **total}
    return AlertCase(calm, {quick: "0x60", slow: "0x60", **total}, labels)


def _share(part: str, whole: str, /, *, calm: str, alarming: str, whole_is: str, **labels: str) -> AlertCase:
    return AlertCase({part: calm, whole: whole_is}, {part: alarming, whole: whole_is}, labels)


_OF_VERSION: Final = {"model": "m", "version": "1"}
CASES: Final[Mapping[str, AlertCase]] = {
    "GalleyDown": _one('up{job="galley",instance="a"}', calm="1x60", alarming="0x60", job="galley", instance="a"),
    "GalleyPartNotReady": _one('galley_ready{part="models"}', calm="1x60", alarming="0x60", part="models"),
    "GalleyControllerSilent": _one("galley_directory_age_seconds", calm="1x60", alarming="0+60x60"),
    "GalleyFails": _share(
        'flask_http_request_total{status="503"}', 'flask_http_request_total{status="200"}',
        calm="0+5x60", alarming="0+60x60", whole_is="0+600x60",
    ),
    "GalleyCeleryGone": AlertCase(
        {'up{job="galley"}': "1x60", 'galley_process_cpu_seconds_total{part="celery"}': "0+0.01x60"},
        {'galley_process_cpu_seconds_total{part="celery"}': "7x60"}, {},
    ),
    "GalleyUpkeepGone": AlertCase(
        {'up{job="galley"}': "1x60", _RESENT: "0+6x60"}, {_RESENT: "7x60"}, {},
    ),
    "GalleyHeavyGone": _one("galley_heavy_slots", calm="0x60", alarming="1x20 0x40"),
    "GalleySlow": _spread(_ANSWERS, phase="total", **_OF_VERSION),
    "GalleyQueuesLong": _spread(_WAITS, **_OF_VERSION),
    "GalleyOverloaded": _one(
        'galley_refused_total{place="runner",code="queue_full"}', calm="0+6x60", alarming="0+120x60", place="runner"
    ),
    "GalleyRunnerFails": _one(
        'galley_controller_failures_total{model="m",version="1"}', calm="0x30 1x30", alarming="0+1x60", **_OF_VERSION
    ),
    "GalleyModelsTakeTurns": _one(
        'galley_controller_evictions_total{instance="a"}', calm="0x20 2x40", alarming="0+1x60", instance="a"
    ),
    "GalleyRedisAway": _one('galley_redis_up{role="state"}', calm="1x60", alarming="0x60", role="state"),
    "GalleyRedisTakesNoWrites": _one(
        'galley_redis_takes_writes{role="state"}', calm="1x60", alarming="0x60", role="state"
    ),
    "GalleyRedisFull": _share(
        'galley_redis_memory_bytes{role="state"}', 'galley_redis_memory_limit_bytes{role="state"}',
        calm="80x60", alarming="95x60", whole_is="100x60", role="state",
    ),
    "GalleyJobsUnserved": _one(
        'galley_job_unserved_seconds{queue="batch"}', calm="20x60", alarming="0+60x60", queue="batch"
    ),
    "GalleyQueueOld": _one(
        'galley_queue_oldest_seconds{queue="heavy"}', calm="20x60", alarming="0+60x60", queue="heavy"
    ),
    "GalleyTasksFail": _one(
        'galley_tasks_total{task="t",result="failed"}', calm="0x20 2x40", alarming="0+1x60", task="t"
    ),
    "GalleyWorkerDeaf": _one("galley_watchdog_ended_total", calm="0x20 1x40", alarming="0+1x60"),
    "GalleyDiskShort": _share(
        "galley_job_disk_free_bytes", "galley_job_disk_reserve_bytes",
        calm="500x60", alarming="150x60", whole_is="100x60",
    ),
    "GalleyDiskFull": _share(
        "galley_disk_free_bytes", "galley_disk_bytes", calm="15x60", alarming="9x60", whole_is="100x60"
    ),
    "GalleyBackupOld": _one(
        'galley_backup_age_seconds{instance="a"}', calm="80000+60x60", alarming="180000+60x60", instance="a"
    ),
    "GalleyJobFilesStuck": _one("galley_job_files_stuck", calm="0x300", alarming="2x300"),
    "GalleyStoreBroken": _one("galley_store_broken_versions", calm="0x60", alarming="1x60"),
    "GalleySocketsLost": _one(
        'galley_sockets_closed_total{stream="text",code="1006"}', calm="0+6x60", alarming="0+300x60", stream="text"
    ),
    "GalleyUsageDropped": _one("galley_usage_dropped_total", calm="7x60", alarming="0+5x60"),
    "GalleyDescriptorsShort": _share(
        'galley_process_descriptors{part="web"}', 'galley_process_descriptors_limit{part="web"}',
        calm="100x60", alarming="900x60", whole_is="1000x60", part="web",
    ),
}  # fmt: skip
# What is no reason for an alert, though it comes close.
HARMLESS: Final[Sequence[tuple[str, Mapping[str, str]]]] = (
    # One failure a minute, of very few requests.
    ("GalleyFails", {_REQUESTS % "503": "0+1x60", _REQUESTS % "200": "0+5x60"}),
    # All of them are told to come again when their model is loaded.
    (
        "GalleyFails",
        {_REQUESTS % "503": "0+60x60", _REQUESTS % "200": "0+60x60", _LOADING: "0+60x60"},
    ),
)
# What is reason for one, though it is not what usually is.
ALARMING: Final[Sequence[tuple[str, Mapping[str, str]]]] = (
    # Nothing was ever heard of Celery.
    ("GalleyCeleryGone", {'up{job="galley"}': "1x60"}),
)
# Those that wait for longer than the others.
EVALUATED_LATER: Final = {"GalleyJobFilesStuck": "200m"}


def promtool_test(alert: str, severity: str, rule_files: list[str]) -> bytes:
    """Return a file for `promtool test rules`: one test in which the alert fires, one in which it does not."""
    case = CASES[alert]
    labels = {"alertname": alert, "alertstate": "firing", "severity": severity, **case.labels}
    fired = "ALERTS{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
    tests = [_test(alert, {**case.calm, **case.alarming}, [fired]), _test(alert, case.calm, [])]
    tests += [_test(alert, series, []) for name, series in HARMLESS if name == alert]
    tests += [_test(alert, series, [fired]) for name, series in ALARMING if name == alert]
    return orjson.dumps({"rule_files": rule_files, "evaluation_interval": "1m", "tests": tests})


def _test(alert: str, series: Mapping[str, str], fired: list[str]) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'ALERTS{{alertname="{alert}",alertstate="firing"}}',
                "eval_time": EVALUATED_LATER.get(alert, EVALUATED_AT),
                "exp_samples": [{"labels": one, "value": 1} for one in fired],
            }
        ],
    }
