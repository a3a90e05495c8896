"""A Redis that would lose what must not be lost, or refuse what it must take, is named."""

from pathlib import Path
from typing import Any

import pytest

from app.inference.directory import DirectorySnapshot, encode_directory
from deploy.doctor.checks import redis_servers
from deploy.doctor.checks.redis_servers import Server
from deploy.doctor.finding import Verdict
from deploy.stack import checks
from model_store.model_ref import ModelRef
from tests.factories.doctor import assert_sound, make_case, the_one
from tests.fakes.inference import make_record

BOTH = ("REDIS_URL", "STATE_REDIS_URL")
GOOD: dict[str, Any] = {
    "redis_version": "7.0.15",
    "role": "master",
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "maxmemory": 2**30,
    "maxmemory_policy": "noeviction",
}
CACHE = GOOD | {"aof_enabled": 0, "maxmemory_policy": "volatile-lru"}
URLS = {"redis_url": "redis://127.0.0.1:1", "state_redis_url": "redis://127.0.0.1:2"}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What both servers tell of themselves; `cache` and `state` are their facts."""
    told: dict[str, Any] = {"cache": CACHE, "state": GOOD, "skew_s": 0.0, "directory": None}

    def ask(label: str, names: tuple[str, ...], _url: str, *, timeout_s: float) -> Server:
        assert timeout_s > 0
        is_state, is_cache = "STATE_REDIS_URL" in names, "REDIS_URL" in names
        facts = told["state" if is_state else "cache"]
        rest = {"skew_s": told["skew_s"], "directory": told["directory"]}
        return Server(name=label, facts=facts, is_state=is_state, is_cache=is_cache, **rest)

    monkeypatch.setattr(redis_servers, "_ask", ask)
    return told


def bad(folder: Path, **changes: Any) -> dict[str, str]:
    """Return what is not as it should be."""
    findings = list(redis_servers.redis_servers(make_case(folder, **changes)))
    for finding in findings:
        assert_sound(finding)
    return {finding.name: finding.verdict.value for finding in findings if finding.verdict is not Verdict.OK}


def own_socket(folder: Path) -> dict[str, str]:
    url = f"unix://{make_case(folder).settings.run_dir}/redis.sock"
    return {"redis_url": url, "state_redis_url": url}


def two(folder: Path, **changes: Any) -> dict[str, str]:
    return bad(folder, **URLS | {"cache_redis_memory": 0} | changes)


@pytest.mark.parametrize(("environment", "found"), [("development", {}), ("production", {"redis": "warning"})])
def test_where_services_may_have_their_own_nothing_was_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: str, found: dict[str, str]
) -> None:
    monkeypatch.setattr(redis_servers, "check_redis", lambda _settings: [])
    assert bad(tmp_path, environment=environment, **own_socket(tmp_path)) == found


@pytest.mark.parametrize("environment", ["development", "production"])
def test_two_servers_as_in_deploy_will_do(tmp_path: Path, told: dict[str, Any], environment: str) -> None:
    assert two(tmp_path, environment=environment) == {}


def test_one_server_for_both_will_do(tmp_path: Path, told: dict[str, Any]) -> None:
    assert bad(tmp_path, redis_url=URLS["redis_url"]) == {}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"redis_version": "6.0.16"}, {"": "error"}),
        ({"redis_version": "10.0.0"}, {}),
        ({"role": "slave"}, {": role": "error"}),
        ({"aof_enabled": 0}, {": persistence": "error"}),
        ({"aof_last_write_status": "err"}, {": persistence": "error"}),
        ({"maxmemory_policy": "allkeys-lru"}, {": memory": "error"}),
        ({"maxmemory": 0}, {": memory": "warning"}),
    ],
)
def test_state_is_not_to_be_lost(
    tmp_path: Path, told: dict[str, Any], facts: dict[str, Any], expected: dict[str, str]
) -> None:
    told["state"] = GOOD | facts

    name = "redis (STATE_REDIS_URL)"
    assert two(tmp_path, environment="production") == {f"{name}{part}": verdict for part, verdict in expected.items()}


def test_who_develops_may_lose_state(tmp_path: Path, told: dict[str, Any]) -> None:
    told["state"] = GOOD | {"aof_enabled": 0, "maxmemory": 0}

    assert two(tmp_path) == {"redis (STATE_REDIS_URL): persistence": "warning"}


def test_a_cache_should_make_room(tmp_path: Path, told: dict[str, Any]) -> None:
    told["cache"] = CACHE | {"maxmemory_policy": "noeviction"}

    assert two(tmp_path, cache_redis_memory=2**29) == {"redis (REDIS_URL): memory": "warning"}


@pytest.mark.parametrize(
    ("policy", "most_bytes", "limit_bytes", "is_well"),
    [
        ("noeviction", 2**30, 2**29, True),
        ("noeviction", 2**30, 2**30, False),
        ("noeviction", 2**30, 0, False),
        ("noeviction", 0, 0, True),
        ("volatile-lru", 2**30, 0, True),
        ("volatile-lru", 2**30, 2**29, False),
        ("volatile-lru", 2**30, 2**31, True),
    ],
)
def test_kept_answers_stop_where_it_is_full(
    tmp_path: Path, told: dict[str, Any], policy: str, most_bytes: int, limit_bytes: int, is_well: bool
) -> None:
    told["cache"] = CACHE | {"maxmemory": most_bytes, "maxmemory_policy": policy}

    found = two(tmp_path, cache_redis_memory=limit_bytes)
    assert ("redis (REDIS_URL): answers" not in found) is is_well
    assert "redis (STATE_REDIS_URL): answers" not in found


@pytest.mark.parametrize("skew_s", [30.0, -30.0])
def test_clocks_should_agree(tmp_path: Path, told: dict[str, Any], skew_s: float) -> None:
    told["skew_s"] = skew_s

    assert set(two(tmp_path).values()) == {"warning"}


@pytest.mark.parametrize(("host", "verdicts"), [("here", {"error"}), ("elsewhere", set())])
def test_another_stack_of_this_machine_is_found(
    tmp_path: Path, told: dict[str, Any], monkeypatch: pytest.MonkeyPatch, host: str, verdicts: set[str]
) -> None:
    monkeypatch.setattr(redis_servers.socket, "gethostname", lambda: "here")
    runners = [make_record(ModelRef("digits", 1), host=host, address="ipc:///other/run/digits-1.sock")]
    told["directory"] = encode_directory(DirectorySnapshot(published_at=0.0, controller_pid=1, runners=runners))

    assert set(two(tmp_path).values()) == verdicts


def test_own_runners_are_no_strangers(tmp_path: Path, told: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_servers.socket, "gethostname", lambda: "here")
    run_dir = make_case(tmp_path).settings.run_dir
    runners = [make_record(ModelRef("digits", 1), host="here", address=f"ipc://{run_dir}/digits-1.sock")]
    told["directory"] = encode_directory(DirectorySnapshot(published_at=0.0, controller_pid=1, runners=runners))

    assert two(tmp_path) == {}


def test_a_directory_that_is_none_is_somebody_elses(tmp_path: Path, told: dict[str, Any]) -> None:
    told["directory"] = b"no directory"

    assert two(tmp_path) == {"redis (REDIS_URL): whose": "error"}


@pytest.mark.parametrize(("is_installed", "verdict"), [(True, Verdict.OK), (False, Verdict.ERROR)])
def test_a_stack_that_brings_its_own_needs_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_installed: bool, verdict: Verdict
) -> None:
    monkeypatch.setattr(checks, "find_redis_server", lambda: Path("/bin/redis-server") if is_installed else None)

    assert the_one(redis_servers.redis_servers(make_case(tmp_path))).verdict is verdict


def test_a_server_that_is_away_is_an_error(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/no-redis.sock"

    assert bad(tmp_path, redis_url=url) == {f"redis ({' and '.join(BOTH)})": "error"}
