"""The folder of sockets has a short path, and always the same."""

from pathlib import Path

from app.run_dir import LONGEST_RUN_DIR, short_run_dir


def test_run_dir_is_short_enough_for_sockets() -> None:
    """A long VAR_DIR gets a short run folder, always the same, and another one another."""
    long, other = Path("/var") / ("a" * 80), Path("/var") / ("b" * 80)

    assert len(bytes(short_run_dir(long))) <= LONGEST_RUN_DIR
    assert short_run_dir(long) == short_run_dir(long) != short_run_dir(other)
    assert short_run_dir(Path("/var/galley")) == Path("/var/galley/run")
