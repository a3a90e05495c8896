"""The configurations of both Redis servers, taken by a real one: what is kept on the disk, and what makes room."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.factories.commands import ROOT
from tests.factories.full_stack import CACHE_CONFIG, STATE_CONFIG, running_cache_redis, running_state_redis
from tests.factories.redis_server import RedisServer, find_redis_binary
from tests.factories.waiting import wait_until


@contextmanager
def configured(name: str, folder: Path, *options: str) -> Iterator[redis.Redis]:
    """Run a Redis by a file of deploy/, as its unit does; yield a client, and end the server as systemd does."""
    command = [
        find_redis_binary(),
        str(ROOT / "deploy" / name),
        "--unixsocket",
        str(folder / "s"),
        "--dir",
        str(folder),
    ]
    with subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL) as server:
        try:
            with redis.Redis(unix_socket_path=str(folder / "s")) as client:
                wait_until(lambda: answers(client))
                yield client
        finally:
            server.send_signal(signal.SIGTERM)


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def settings_of(client: redis.Redis) -> dict[str, str]:
    """Return what decides over memory and disk."""
    found: dict[str, str] = client.config_get("maxmemory-policy", "appendonly", "appendfsync", "save", "maxmemory")  # type: ignore[assignment]
    return found


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose socket's path is short enough."""
    path = tmp_path_factory.mktemp("r")
    yield path
    shutil.rmtree(path)


def test_the_state_outlives_its_server_and_never_makes_room(folder: Path) -> None:
    with configured("redis-state.conf", folder) as client:
        client.set("galley:state:shop", b"past", ex=1000)
        settings = settings_of(client)
    with configured("redis-state.conf", folder) as client:
        assert client.get("galley:state:shop") == b"past"
    with configured("redis-state.conf", folder, "--maxmemory", "1kb") as client, pytest.raises(redis.OutOfMemoryError):
        client.set("galley:state:new", b"past", ex=1000)

    assert settings.pop("maxmemory") != "0"
    assert settings == {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "everysec", "save": ""}


def test_the_cache_makes_room_and_leaves_nothing_on_the_disk(folder: Path) -> None:
    with configured("redis-cache.conf", folder, "--maxmemory", "2mb") as client:
        client.set("galley:directory", b"runners")
        for number in range(300):
            client.set(f"galley:cache:{number}", bytes(10_000), ex=1000)
        settings, evicted = settings_of(client), client.info("stats")["evicted_keys"]
        assert client.exists("galley:directory", "galley:cache:299") == 2

    assert evicted > 0
    assert [path.name for path in folder.iterdir() if path.name != "s"] == []
    assert (settings["maxmemory-policy"], settings["appendonly"], settings["save"]) == ("volatile-lru", "no", "")


def test_whole_stacks_are_tested_on_these_files() -> None:
    with running_state_redis() as state, running_cache_redis() as cache:
        (state_file, of_state), (cache_file, of_cache) = run_by(state), run_by(cache)

    assert (state_file, cache_file) == (STATE_CONFIG, CACHE_CONFIG)
    # All but how often the state is written through, and how much the cache holds, is the files' own.
    assert of_state == {
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory": str(2 * 2**30),
    }
    assert (of_cache["maxmemory-policy"], of_cache["appendonly"], of_cache["maxmemory"]) == (
        "volatile-lru",
        "no",
        str(64 * 2**20),
    )


def run_by(server: RedisServer) -> tuple[Path, dict[str, str]]:
    """Return the file that a server has read, and what decides over its memory and disk."""
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        return Path(client.info("server")["config_file"]), settings_of(client)
