"""supervisord reads what the launcher writes."""

from configparser import RawConfigParser
from pathlib import Path

import pytest
from supervisor.datatypes import RestartUnconditionally
from supervisor.options import ServerOptions

from app.settings import Settings
from deploy.stack.folders import make_folders
from deploy.stack.supervision import render_config, stop_wait_s
from tests.factories.settings import make_settings


def _read_as_supervisord(settings: Settings) -> ServerOptions:
    make_folders(settings)
    path = settings.run_dir / "supervisord.conf"
    path.write_text(render_config(settings))
    options = ServerOptions()
    options.realize(["--configuration", str(path), "--nodaemon"])
    return options


@pytest.mark.parametrize("name", ["plain", "with space", "with 'quote", "with$dollar"])
def test_supervisord_understands_the_folder(tmp_path: Path, name: str) -> None:
    settings = make_settings(tmp_path / name, run_dir=tmp_path / name / "run")
    options = _read_as_supervisord(settings)

    commands = {group.name: group.process_configs[0] for group in options.process_group_configs}

    assert list(commands) == ["redis", "controller", "celery", "web"]
    assert f'--unixsocket "{settings.run_dir}/redis.sock"' in commands["redis"].command
    assert commands["web"].environment["PROMETHEUS_MULTIPROC_DIR"] == str(settings.metrics_dir / "web")


def test_requests_end_before_models_and_redis_ends_last(tmp_path: Path) -> None:
    options = _read_as_supervisord(make_settings(tmp_path, run_dir=tmp_path / "run"))

    stopping = sorted(options.process_group_configs, reverse=True)

    assert [group.name for group in stopping] == ["web", "celery", "controller", "redis"]


def test_part_that_ends_is_started_again_however_it_ended(tmp_path: Path) -> None:
    options = _read_as_supervisord(make_settings(tmp_path, run_dir=tmp_path / "run"))

    restarts = {group.process_configs[0].autorestart for group in options.process_group_configs}

    assert restarts == {RestartUnconditionally}


def test_restart_waits_until_imports_and_settings_are_outlived(tmp_path: Path) -> None:
    options = _read_as_supervisord(make_settings(tmp_path, run_dir=tmp_path / "run"))

    starts = {group.name: group.process_configs[0].startsecs for group in options.process_group_configs}

    assert min(starts["controller"], starts["celery"]) >= 5


def test_foreign_redis_is_not_started(tmp_path: Path) -> None:
    parser = RawConfigParser()
    parser.read_string(render_config(make_settings(tmp_path, redis_url="redis://127.0.0.1:6379")))

    assert parser["program:redis"]["autostart"] == "false"


def test_parts_get_their_drain_time(tmp_path: Path) -> None:
    assert stop_wait_s(make_settings(tmp_path, drain_s=30.0)) > 30
