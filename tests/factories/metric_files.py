"""Metrics files as processes of a service leave them."""

from collections.abc import Mapping
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Final

from prometheus_client.mmap_dict import MmapedDict, mmap_key

# Above the kernel's largest: no process has such a number.
_PIDS: Final = count(2**22 + 1)
_MODEL: Final[Mapping[str, str]] = {"model": "digits"}


def _key(family: str, suffix: str = "", **labels: str) -> str:
    return mmap_key(family, f"{family}{suffix}", list(labels), list(labels.values()), f"{family.title()}.")


def leave_files(service: Path, amount: float) -> int:
    """Leave what a process leaves that counted to `amount`, took 1.5 seconds once, and set gauges; return its pid."""
    service.mkdir(parents=True, exist_ok=True)
    pid = next(_PIDS)
    buckets = {_key("seconds", "_bucket", le=edge): float(edge == "2.0") for edge in ("1.0", "2.0", "+Inf")}
    files: dict[str, dict[str, float]] = {
        "counter": {_key("rows", "_total", **_MODEL): amount},
        "histogram": {**buckets, _key("seconds", "_sum"): 1.5},
        "gauge_livesum": {_key("busy"): 1.0},
        "gauge_max": {_key("peak"): amount},
        "gauge_mostrecent": {_key("broken"): amount},
        "gauge_livemostrecent": {_key("budget"): amount},
    }
    for kind, values in files.items():
        with closing(MmapedDict(str(service / f"{kind}_{pid}.db"))) as file:
            for key, value in values.items():
                file.write_value(key, value, float(pid))
    return pid


def leave_release(service: Path, version: int) -> int:
    """Leave what a runner of a version leaves, in four series; return its pid."""
    service.mkdir(parents=True, exist_ok=True)
    labels, pid = {**_MODEL, "version": str(version)}, next(_PIDS)
    buckets = [_key("waits", "_bucket", le=edge, **labels) for edge in ("1.0", "+Inf")]
    files = {"counter": [_key("answers", "_total", **labels)], "histogram": [*buckets, _key("waits", "_sum", **labels)]}
    for kind, keys in files.items():
        with closing(MmapedDict(str(service / f"{kind}_{pid}.db"))) as file:
            for key in keys:
                file.write_value(key, 1.0, 0.0)
    return pid


def leave_batch_sizes(service: Path, most: int) -> None:
    """Leave what a runner leaves that ran batches of every size up to `most`."""
    sizes = [{**_MODEL, "batch_size": str(size)} for size in range(1, most + 1)]
    counts = [_key("galley_runner_batch_size", "_total", **labels) for labels in sizes]
    stages = [_key("galley_runner_batch_seconds", "_total", stage="compute_infer", **labels) for labels in sizes]
    _leave(service, "counter", [*counts, *stages])


def tear(path: Path) -> None:
    """Leave what a power loss may: the length of what was written, and zeros in its place."""
    data = path.read_bytes()
    path.write_bytes(data[:8] + bytes(len(data) - 8))


def leave_crowd(metrics_dir: Path, *, web_workers: int, versions: int) -> None:
    """Leave what many web workers and a runner of each version leave, all of which have done everything."""
    answers = [
        _key("seconds", "_bucket", le=str(edge), version=str(one)) for one in range(versions) for edge in range(45)
    ]
    requests = [_key("requests", "_bucket", le=str(edge), route=str(one)) for one in range(200) for edge in range(15)]
    for _ in range(web_workers):
        # Not in the web tier's own folder: there, files of nobody are folded before each scrape.
        _leave(metrics_dir / "celery", "histogram", [*answers, *requests])
    for one in range(versions):
        _leave(
            metrics_dir / "runners",
            "histogram",
            [_key("waits", "_bucket", le=str(n), version=str(one)) for n in range(45)],
        )
        _leave(
            metrics_dir / "runners",
            "counter",
            [_key("rows", "_total", kind=str(n), version=str(one)) for n in range(90)],
        )


def _leave(service: Path, kind: str, keys: list[str]) -> None:
    service.mkdir(parents=True, exist_ok=True)
    with closing(MmapedDict(str(service / f"{kind}_{next(_PIDS)}.db"))) as file:
        for key in keys:
            file.write_value(key, 1.0, 0.0)
