"""Files are read where they lie: what processes add, and that nothing is made out twice."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from app.infra.metric_files import MetricsFiles
from app.infra.metric_series import Series, SeriesTable


@pytest.fixture
def counters(tmp_path: Path) -> Iterator[MmapedDict]:
    """The counters of a process that lives."""
    with closing(MmapedDict(str(tmp_path / "counter_1.db"))) as counters:
        yield counters


@pytest.fixture
def files() -> MetricsFiles:
    return MetricsFiles(SeriesTable())


def count(counters: MmapedDict, model: str, amount: float) -> None:
    """Let the process count."""
    counters.write_value(mmap_key("rows", "rows_total", ["model"], [model], "Rows."), amount, 0.0)


def test_values_are_those_of_the_moment(tmp_path: Path, counters: MmapedDict, files: MetricsFiles) -> None:
    told = []
    for amount in (1, 2, 5):
        count(counters, "digits", amount)
        told.append(files.read([tmp_path]))

    assert told == [[1], [2], [5]]


@pytest.mark.parametrize("length", range(1, 9))
def test_keys_of_every_length_are_read(tmp_path: Path, counters: MmapedDict, files: MetricsFiles, length: int) -> None:
    count(counters, "m" * length, 1)
    count(counters, "other", 2)

    assert files.read([tmp_path]) == [1, 2]


def test_a_file_that_grew_is_read_on(tmp_path: Path, counters: MmapedDict, files: MetricsFiles) -> None:
    count(counters, "first", 1)
    files.read([tmp_path])
    # More than the 64 KiB it begins with.
    for number in range(1000):
        count(counters, f"model-{number}", number)

    assert files.read([tmp_path]) == [1, *range(1000)]
    assert len(list(files.living())) == 1001


def test_keys_are_made_out_once(tmp_path: Path, counters: MmapedDict, files: MetricsFiles) -> None:
    with mock.patch.object(Series, "of", side_effect=Series.of) as made_out:
        for model in ("a", "b"):
            count(counters, model, 1)
            files.read([tmp_path])
        before = files.generation
        files.read([tmp_path])

    assert made_out.call_count == 2
    assert files.generation == before


def test_series_live_as_long_as_a_file_has_them(tmp_path: Path, counters: MmapedDict, files: MetricsFiles) -> None:
    count(counters, "a", 1)
    with closing(MmapedDict(str(tmp_path / "counter_2.db"))) as others:
        count(others, "b", 2)
    both = files.read([tmp_path]), list(files.living())
    (tmp_path / "counter_2.db").unlink()
    one = files.read([tmp_path]), list(files.living())

    assert sorted(both[0]) == [1, 2]
    assert sum(one[0]) == 1
    assert (len(both[1]), len(one[1])) == (2, 1)
