"""No complaint in a log is lost, though the log is turned over and lines are written in two."""

from collections import Counter
from pathlib import Path
from threading import Event

import pytest

from tests.load.soak_logs import Log, LogWatcher, galley_complaint, galley_logs, nginx_complaint, postgres_complaint

ERROR = b'{"level":"error","event":"internal"}\n'
INTERNAL = "web logged error: internal"


def turn_over(path: Path) -> None:
    """Do as supervisord does, which keeps one log of before here."""
    path.rename(path.with_name(f"{path.name}.1"))


def test_what_was_turned_over_and_removed_is_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_bytes(ERROR)
    log, found = Log(path, galley_complaint, "web"), Counter[str]()
    for _ in range(3):
        found += log.complaints()
        with path.open("ab") as before:
            before.write(ERROR)
        turn_over(path)
        path.write_bytes(ERROR)
    found += log.complaints(is_last=True)
    log.close()

    assert found == Counter({INTERNAL: 7})


def test_what_was_said_at_the_start_is_passed_over(tmp_path: Path) -> None:
    path, is_over = tmp_path / "web.log", Event()
    path.write_bytes(ERROR * 3)
    watcher = LogWatcher(galley_logs(tmp_path))
    watcher.skip()
    with path.open("ab") as file:
        file.write(ERROR)
    is_over.set()
    watcher.work(is_over)

    assert watcher.counts == Counter({INTERNAL: 1})


def test_a_line_is_whole_that_was_written_in_two_also_across_a_turnover(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_bytes(ERROR[:9])
    log = Log(path, galley_complaint, "web")
    first = log.complaints()
    turn_over(path)
    path.write_bytes(ERROR[9:])

    assert (first, log.complaints()) == (Counter(), Counter({INTERNAL: 1}))
    log.close()


def test_half_a_line_at_the_end_does_not_end_the_soak(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_bytes(ERROR + b'{"level":"er')
    is_over = Event()
    is_over.set()
    watcher = LogWatcher(galley_logs(tmp_path))
    watcher.work(is_over)

    assert watcher.counts == Counter({INTERNAL: 1, "web logged warning: a line that cannot be read": 1})


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"level":"warning","event":"slow"}', ("warning", "slow")),
        ('{"level":"info","event":"request"}', None),
        ("[INFO] Booting", None),
        ("Traceback (most recent call last):", ("error", "a traceback")),
    ],
)
def test_lines_of_galley(line: str, complaint: tuple[str, str] | None) -> None:
    assert galley_complaint(line) == complaint


@pytest.mark.parametrize(
    ("level", "told"), [("warn", "warning"), ("error", "error"), ("crit", "critical"), ("alert", "critical")]
)
def test_lines_of_nginx(level: str, told: str) -> None:
    line = f"2026/01/02 03:04:05 [{level}] 12#12: *34 upstream 56 left, client: 127.0.0.1, server: _"

    assert nginx_complaint(line) == (told, "upstream N left")
    assert nginx_complaint("2026/01/02 03:04:05 [notice] 12#12: signal 1") is None


@pytest.mark.parametrize(("level", "told"), [("WARNING", "warning"), ("ERROR", "error"), ("FATAL", "critical")])
def test_lines_of_postgresql(level: str, told: str) -> None:
    assert postgres_complaint(f"2026-01-02 03:04:05.678 UTC [9] {level}:  no row 7") == (told, "no row N")
    assert postgres_complaint("2026-01-02 03:04:05.678 UTC [9] LOG:  checkpoint starting") is None
