"""Entries: what is whole is read, whatever comes after it, and nothing torn is copied."""

import logging
from pathlib import Path

import pytest

from app.infra.metric_entries import MARK_KEY, read_entries, write_entries

ENTRIES = {f'["rows", "rows_total", {{"model": "{number}"}}, "Rows."]': (float(number), 1.0) for number in range(200)}


@pytest.fixture
def folded(tmp_path: Path) -> Path:
    path = tmp_path / "counter_folded.db"
    write_entries(path, {**ENTRIES, MARK_KEY: (7.0, 9.0)})
    return path


def test_what_was_written_is_read(folded: Path) -> None:
    assert read_entries(folded) == {**ENTRIES, MARK_KEY: (7.0, 9.0)}
    assert read_entries(folded.with_name("not-there")) == {}


@pytest.mark.parametrize("whole_bytes", [8, 4096, 8192])
@pytest.mark.parametrize("has_length", [True, False])
def test_what_stands_before_a_tear_is_read(
    folded: Path, caplog: pytest.LogCaptureFixture, whole_bytes: int, has_length: bool
) -> None:
    data = folded.read_bytes()
    folded.write_bytes(data[:whole_bytes] + bytes(len(data) - whole_bytes if has_length else 0))

    with caplog.at_level(logging.WARNING):
        entries = read_entries(folded)

    # The tear may go through the last one's value.
    assert list(entries) == list(ENTRIES)[: len(entries)]
    assert list(entries.values())[:-1] == list(ENTRIES.values())[: len(entries)][:-1]
    assert (len(entries) > 0) == (whole_bytes > 8)
    assert "left out from where it is torn" in caplog.text
