"""What lies in a prepared folder, and who may read it."""

import multiprocessing
from pathlib import Path

import pytest

from deploy.stack.errors import CannotStart
from deploy.stack.folders import clear_metrics, make_folders, only_stack, write_secret
from tests.factories.settings import make_settings


def test_secret_is_long_private_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "jwt_secret"
    write_secret(path)
    first = path.read_text()
    write_secret(path)

    assert path.read_text() == first
    assert len(first.strip()) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_two_secrets_differ(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_secret(tmp_path / name)

    assert (tmp_path / "a").read_text() != (tmp_path / "b").read_text()


def test_sockets_and_secrets_are_private(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    make_folders(settings)

    assert settings.run_dir.stat().st_mode & 0o777 == 0o700
    assert settings.secrets_dir.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "log").is_dir()


def test_sockets_elsewhere_are_found_where_people_look(tmp_path: Path) -> None:
    """Twice: a stack is started more than once, and the temporary folder may have moved in between."""
    for place in ("short", "shorter"):
        settings = make_settings(tmp_path, run_dir=tmp_path / place)
        make_folders(settings)
        (settings.run_dir / "redis.sock").touch()

        assert (tmp_path / "run" / "redis.sock").samefile(settings.run_dir / "redis.sock")


def test_a_folder_that_is_in_the_way_stays(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    make_folders(make_settings(tmp_path, run_dir=tmp_path / "short"))

    assert not (tmp_path / "run").is_symlink()


def test_sockets_come_back_from_elsewhere(tmp_path: Path) -> None:
    """A folder that was moved to a shorter path brings a link along that leads nowhere."""
    (tmp_path / "run").symlink_to(tmp_path / "gone")
    make_folders(make_settings(tmp_path, run_dir=tmp_path / "run"))

    assert (tmp_path / "run").is_dir()
    assert not (tmp_path / "run").is_symlink()


def test_metrics_start_empty_for_each_service(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    stale = settings.metrics_dir / "web" / "counter_1.db"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"")

    clear_metrics(settings)

    assert sorted(path.name for path in settings.metrics_dir.iterdir()) == ["celery", "controller", "runners", "web"]
    assert not stale.exists()


def test_second_stack_is_refused(tmp_path: Path) -> None:
    with only_stack(tmp_path), pytest.raises(CannotStart, match="A stack runs in"), only_stack(tmp_path):
        pass


def test_lock_is_free_again(tmp_path: Path) -> None:
    with only_stack(tmp_path):
        pass
    with only_stack(tmp_path) as descriptor:
        assert descriptor > 0


def _hold(path: Path, is_held: "multiprocessing.synchronize.Event") -> None:  # type: ignore[name-defined]
    with only_stack(path):
        is_held.set()
        multiprocessing.Event().wait()


def test_killed_holder_lets_go(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    is_held = spawn.Event()
    holder = spawn.Process(target=_hold, args=(tmp_path, is_held))
    holder.start()
    assert is_held.wait(30)
    holder.kill()
    holder.join()

    with only_stack(tmp_path) as descriptor:
        assert descriptor > 0
    holder.close()
