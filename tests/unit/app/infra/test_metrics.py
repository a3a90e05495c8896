"""One scrape tells of all processes, and tells what prometheus_client itself would."""

import os
from collections.abc import Iterator, Mapping
from errno import ENOSPC
from pathlib import Path
from unittest import mock

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from app.infra.metric_folding import fold_dead_process
from app.infra.metrics import Exposition, MetricsReader
from tests.factories.metric_files import leave_batch_sizes, leave_files, tear


def samples(text: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the values of a scrape by sample and labels."""
    families = text_string_to_metric_families(text.decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def heads(text: bytes) -> set[str]:
    """Return what a scrape says of its metrics."""
    return {line for line in text.decode().splitlines() if line.startswith("#")}


def own_text(folder: Path) -> bytes:
    """Return what prometheus_client makes of a folder."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    return generate_latest(registry)


@pytest.fixture
def exposition(tmp_path: Path) -> Exposition:
    return Exposition(tmp_path)


def values(exposition: Exposition) -> Mapping[str, float]:
    """Return the values of a scrape's lines by what stands before them."""
    lines = (line.rpartition(" ") for line in exposition.text().decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


@pytest.fixture
def pids(tmp_path: Path) -> list[int]:
    return [leave_files(tmp_path / "celery", 2), leave_files(tmp_path / "celery", 3)]


def test_a_scrape_tells_what_the_library_would(tmp_path: Path, exposition: Exposition, pids: list[int]) -> None:
    own = own_text(tmp_path / "celery")

    assert samples(exposition.text()) == samples(own)
    assert heads(exposition.text()) == heads(own)


def test_a_scrape_adds_up_processes_and_services(tmp_path: Path, exposition: Exposition, pids: list[int]) -> None:
    leave_files(tmp_path / "runners", 5)

    assert values(exposition) == {
        'rows_total{model="digits"}': 10,
        'seconds_bucket{le="1.0"}': 0,
        'seconds_bucket{le="2.0"}': 3,
        'seconds_bucket{le="+Inf"}': 3,
        "seconds_count": 3,
        "seconds_sum": 4.5,
        "busy": 3,
        "peak": 5,
        "broken": 5,
        "budget": 5,
    }


def test_the_next_scrape_tells_what_came_and_what_went(tmp_path: Path, exposition: Exposition, pids: list[int]) -> None:
    before = values(exposition)
    leave_files(tmp_path / "celery", 7)
    between = values(exposition)
    fold_dead_process(tmp_path / "celery", pids[0])
    after = values(exposition)

    assert (before["busy"], between["busy"], after["busy"]) == (2, 3, 2)
    rows = 'rows_total{model="digits"}'
    assert (before[rows], between[rows], after[rows]) == (5, 12, 12)


def test_gauges_of_processes_that_are_gone_are_not_told(
    tmp_path: Path, exposition: Exposition, pids: list[int]
) -> None:
    assert "busy" in values(exposition)
    for pid in pids:
        fold_dead_process(tmp_path / "celery", pid)

    assert "busy" not in values(exposition)


def test_web_workers_whose_master_died_are_not_told_once_they_end(tmp_path: Path, exposition: Exposition) -> None:
    """Nobody else sees them end."""
    leave_files(tmp_path / "web", 2)

    told = values(exposition)

    assert told['rows_total{model="digits"}'] == 2
    assert "busy" not in told


def test_a_disk_that_is_full_does_not_hide_what_there_is(tmp_path: Path, exposition: Exposition) -> None:
    leave_files(tmp_path / "web", 2)

    with mock.patch.object(os, "posix_fallocate", side_effect=OSError(ENOSPC, "full")) as asked:
        assert values(exposition)['rows_total{model="digits"}'] == 2

    assert asked.called


@pytest.mark.parametrize("is_living", [True, False])
def test_a_torn_file_costs_what_was_torn_and_no_scrape(
    tmp_path: Path, exposition: Exposition, caplog: pytest.LogCaptureFixture, is_living: bool
) -> None:
    """After a power loss a file may have its length, and zeros for entries: in the web tier it is folded."""
    torn = tmp_path / ("celery" if is_living else "web")
    pid = leave_files(torn, 2)
    leave_files(torn, 3)
    tear(torn / f"counter_{pid}.db")

    for _ in range(2):
        assert values(exposition)['rows_total{model="digits"}'] == 3
    assert values(exposition)["peak"] == 3
    assert caplog.text.count(f"counter_{pid}.db counted is left out from where it is torn") == 1


def test_a_gauge_that_does_not_come_together_is_left_out(
    tmp_path: Path, exposition: Exposition, pids: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    before = values(exposition)
    (tmp_path / "celery" / "gauge_liveall_77.db").write_bytes(bytes(64))

    assert values(exposition) == values(exposition) == before
    assert caplog.text.count("gauge_liveall_77.db") == 1


def test_sizes_of_batches_make_no_series_of_a_scrape(tmp_path: Path, exposition: Exposition) -> None:
    """There are as many of them as a model takes rows at once; statistics read them all the same."""
    leave_files(tmp_path / "runners", 5)
    before = values(exposition)
    leave_batch_sizes(tmp_path / "runners", 4096)

    assert values(exposition) == before
    sizes = {series.labels.get("batch_size") for series, _ in MetricsReader().samples([tmp_path / "runners"])}
    assert sizes == {None, *(str(size) for size in range(1, 4097))}


def test_services_are_read_apart(tmp_path: Path, pids: list[int]) -> None:
    leave_files(tmp_path / "runners", 5)

    def rows() -> Iterator[float]:
        for series, value in MetricsReader().samples([tmp_path / "celery", tmp_path / "not-there"]):
            if series.name == "rows_total":
                yield value

    assert list(rows()) == [5]
    assert MetricsReader().samples([tmp_path / "nothing"]) == []


def test_lone_process_shows_its_own(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    Counter("rows", "Rows.", registry=registry).inc(4)

    assert b"rows_total 4.0" in Exposition(tmp_path, registry).text()
    assert b"rows_total 4.0" in Exposition(tmp_path / "not-there", registry).text()
