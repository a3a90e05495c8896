"""Words to supervisord, and what is said when nobody hears them."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import psutil
import pytest

from deploy.stack import supervisorctl
from deploy.stack.errors import CannotStart
from deploy.stack.reload import only_reload, take_environment
from deploy.stack.supervision import TEMPLATE
from deploy.stack.supervisorctl import Supervisorctl
from tests.factories.waiting import wait_until


def test_folder_without_a_stack_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="No stack runs here"):
        Supervisorctl(tmp_path / "supervisord.conf").demand_running()


def test_stack_that_ended_is_told_from_one_that_runs(tmp_path: Path) -> None:
    config = tmp_path / "supervisord.conf"
    config.write_text(f"[supervisorctl]\nserverurl=unix://{tmp_path}/none.sock\n")

    with pytest.raises(CannotStart):
        Supervisorctl(config).demand_running()


CONFIG = """
[supervisord]
nodaemon=true
logfile={folder}/log
pidfile={folder}/pid
[unix_http_server]
file={folder}/s.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{folder}/s.sock
[program:stays]
command=sleep 600
startsecs=0
[program:fails]
command=false
startsecs=600
startretries=0
[program:talks]
command={python} {folder}/talks.py
autostart=false
autorestart=false
startsecs=0
"""

# As many bytes as a log and the two before it hold, in lines of both outputs that are long enough to be cut anywhere.
TURN_BYTES, LINES = 100_000, 2500
TALKS = f"""
import os
for number in range({LINES}):
    os.write(1 + number % 2, b"%d %s\\n" % (number, b"x" * 100))
"""


def logging_of_web() -> str:
    """Return how the web tier's lines are kept in the product, turned over sooner and in this test's folder."""
    parser = ConfigParser(interpolation=None)
    parser.read_string(TEMPLATE.read_text())
    kept = {name: value for name, value in parser["program:web"].items() if name.startswith(("stdout_", "redirect_"))}
    kept |= {"stdout_logfile": "{folder}/talks.log", "stdout_logfile_maxbytes": str(TURN_BYTES)}
    return "\n".join(f"{name}={value}" for name, value in kept.items())


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Supervisorctl]:
    # Not pytest's own folder: a socket's path may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="galley-ctl-") as folder:
        config = Path(folder) / "supervisord.conf"
        config.write_text((CONFIG + logging_of_web()).format(folder=folder, python=sys.executable))
        (Path(folder) / "talks.py").write_text(TALKS)
        command = [sys.executable, "-m", "supervisor.supervisord", "-s", "-c", str(config)]
        process = subprocess.Popen(command, cwd=tmp_path, env={"DATABASE_URL": "sqlite:///of-the-stack.db"})
        try:
            wait_until((Path(folder) / "s.sock").exists)
            yield Supervisorctl(config)
        finally:
            process.terminate()
            process.wait(30)


def test_part_that_fails_at_once_is_not_up(running: Supervisorctl) -> None:
    wait_until(lambda: running.is_up("stays"))

    assert not running.is_up("fails")
    with pytest.raises(CannotStart, match="fails"):
        running.do("restart", "fails")


def test_no_line_is_lost_where_a_log_is_turned_over(running: Supervisorctl) -> None:
    folder = Path(psutil.Process(running.pid()).cmdline()[-1]).parent
    running.do("start", "talks")
    wait_until(lambda: "EXITED" in running.do("status", "talks"))
    logs = [folder / "talks.log.2", folder / "talks.log.1", folder / "talks.log"]

    lines = "".join(log.read_text() for log in logs).splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(LINES))
    assert {line.split()[1] for line in lines} == {"x" * 100}


def test_supervisord_that_hangs_is_not_waited_for_for_ever(
    running: Supervisorctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisord = psutil.Process(running.pid())
    monkeypatch.setattr(supervisorctl, "ANSWER_S", 0.1)
    supervisord.suspend()
    try:
        with pytest.raises(CannotStart, match=r"does not answer `pid` within 0\.1 s"):
            running.do("pid")
    finally:
        supervisord.resume()


def test_reload_reads_the_settings_of_the_stack(
    running: Supervisorctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both are put back after the test.
    monkeypatch.chdir("/")
    monkeypatch.setattr(os, "environ", {"DATABASE_URL": "sqlite:///of-this-shell.db"})

    take_environment(running.environment())

    assert os.environ["DATABASE_URL"] == "sqlite:///of-the-stack.db"
    assert Path.cwd() == tmp_path


def test_two_reloads_at_once_are_kept_apart(tmp_path: Path) -> None:
    another = pytest.raises(CannotStart, match="Another `make reload` is under way")
    with only_reload(tmp_path), another, only_reload(tmp_path):
        pytest.fail("Both reload.")

    with only_reload(tmp_path):
        assert (tmp_path / "reload.lock").exists()
