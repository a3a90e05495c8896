"""The units of systemd: what systemd itself says of them, and that they start what supervisord starts."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.doorkeeper.keeper import START_LIMIT_S
from deploy.stack.supervision import stop_wait_s
from tests.factories.commands import ROOT, option_of, options_of, supervised_commands, words_of
from tests.factories.parts import needed
from tests.factories.settings import make_settings

UNITS = ROOT / "deploy" / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
# They run to their end, when somebody wants them to.
BY_HAND = ("galley-doctor.service", "galley-backup.service")
CELERY = [name for name in SERVICES if name.startswith("galley-celery-")]
# By its own scale of ten; 2.0 is what shutting foreign artifacts in costs, which wants namespaces.
MOST_EXPOSED = 2.1


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units, with this interpreter and this checkout in the places where they are installed."""
    needed("systemd-analyze", package="systemd")
    folder = tmp_path_factory.mktemp("units")
    shutil.copytree(UNITS, folder, dirs_exist_ok=True)
    redis = needed("redis-server", package="redis-server")
    for path in folder.glob("*.service"):
        text = path.read_text().replace("/opt/galley/.venv/bin/python", sys.executable)
        path.write_text(text.replace("/usr/bin/redis-server", str(redis)).replace("/opt/galley", str(ROOT)))
    return folder


def analyze(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Ask systemd about units that lie in `folder`."""
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"}
    return subprocess.run(["systemd-analyze", *words], env=environment, capture_output=True, text=True, check=False)


def unit(name: str) -> str:
    return (UNITS / name).read_text()


def command(name: str) -> list[str]:
    [found] = re.findall(r"^ExecStart=(.+)$", unit(name), re.MULTILINE)
    return words_of(found)


def test_systemd_finds_nothing_amiss(installed: Path) -> None:
    said = analyze(installed, "verify", *(str(path) for path in sorted(installed.glob("galley*.*")) if path.is_file()))

    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


@pytest.mark.parametrize("name", SERVICES)
def test_every_part_is_shut_in(installed: Path, name: str) -> None:
    said = analyze(installed, "security", "--offline=true", "--no-pager", str(installed / name))

    [exposure] = re.findall(r"Overall exposure level for \S+: ([\d.]+)", said.stdout)
    # The doctor sees processes of other users.
    assert float(exposure) <= MOST_EXPOSED + (0.2 if name == "galley-doctor.service" else 0.0)


def test_units_start_what_supervisord_starts() -> None:
    supervised = supervised_commands()

    assert command("galley-controller.service") == supervised["controller"]
    assert command("galley-web.service") == supervised["web"]
    for name in ("galley-redis-state.service", "galley-redis-cache.service"):
        assert command(name)[0] == supervised["redis"][0]
    assert set(supervised) == {"redis", "controller", "celery", "web"}


def test_celery_is_split_by_queues_and_has_one_beat() -> None:
    whole = supervised_commands()["celery"]
    start = whole[: whole.index("worker") + 1]
    parts = [command(name) for name in CELERY]

    assert {tuple(part[: len(start)]) for part in parts} == {tuple(start)}
    served = [queue for part in parts for queue in option_of(part, "--queues").split(",")]
    assert sorted(served) == sorted(option_of(whole, "--queues").split(","))
    assert len({option_of(part, "--hostname") for part in parts}) == len(parts)
    with_beat = [name for name, part in zip(CELERY, parts, strict=True) if "--beat" in part]
    assert with_beat == ["galley-celery-upkeep.service"]
    assert all({"--without-gossip", "--without-mingle"} <= options_of(part) for part in parts)


def test_the_target_starts_every_service() -> None:
    wanted = set(re.findall(r"galley-[a-z-]+\.service", unit("galley.target")))

    assert wanted | {"galley-prepare.service", *BY_HAND} == set(SERVICES)


def test_parts_have_as_long_to_end_as_under_supervisord(tmp_path: Path) -> None:
    [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", unit("galley-.service.d/10-all.conf"), re.MULTILINE)

    assert int(seconds) == stop_wait_s(make_settings(tmp_path))


def test_a_web_tier_that_does_not_start_is_judged_by_its_doorkeeper() -> None:
    [seconds] = re.findall(r"^TimeoutStartSec=(\d+)$", unit("galley-web.service"), re.MULTILINE)

    assert int(seconds) > START_LIMIT_S


def test_redis_sees_neither_store_nor_secrets() -> None:
    [hidden] = re.findall(r"^InaccessiblePaths=(.+)$", unit("galley-redis-.service.d/20-redis.conf"), re.MULTILINE)

    assert {path.removeprefix("-") for path in hidden.split()} == {"/var/lib/galley", "/etc/galley"}


def test_backups_may_be_written_where_they_go() -> None:
    [folder] = re.findall(r"^ReadWritePaths=(.+)$", unit("galley-backup.service"), re.MULTILINE)

    assert f" deploy.backup make --to {folder} --jobs\n" in unit("galley-backup.service")


def test_the_timer_comes_to_a_time(installed: Path) -> None:
    [times] = re.findall(r"^OnCalendar=(.+)$", unit("galley-backup.timer"), re.MULTILINE)

    assert "Next elapse" in analyze(installed, "calendar", times).stdout


@pytest.mark.parametrize("name", SERVICES)
def test_files_that_units_name_are_in_the_checkout(name: str) -> None:
    named = re.findall(r"/opt/galley/((?!\.venv)\S+)", unit(name))

    assert [path for path in named if not (ROOT / path).exists()] == []
