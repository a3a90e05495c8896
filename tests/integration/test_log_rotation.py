"""Logs that are turned over are kept from strangers, and open to those who read and write them."""

from pathlib import Path

from tests.factories.log_rotation import owners, rotate_logs


def test_new_logs_are_those_of_nginx_and_open_to_who_reads_them(tmp_path: Path) -> None:
    logs, folder = tmp_path / "logs", tmp_path / "logrotate"
    for path in (logs, folder):
        path.mkdir(mode=0o755)
    for name in ("access.log", "error.log"):
        (logs / name).write_text("a line\n")
        # What it was before says nothing of what comes.
        (logs / name).chmod(0o644)

    rotate_logs(logs, folder)

    assert {path.name: path.read_text() for path in logs.iterdir()} == {
        "access.log": "",
        "access.log.1": "a line\n",
        "error.log": "",
        "error.log.1": "a line\n",
    }
    for name in ("access.log", "error.log"):
        path = logs / name
        assert (oct(path.stat().st_mode & 0o777), f"{path.owner()} {path.group()}") == ("0o640", owners())
