"""The Redis servers: there, new enough, and set so that nothing is lost that must not be."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import redis

from app.errors import RedisUnavailable
from app.inference.directory import DIRECTORY_KEY, decode_directory
from app.infra.redis import open_redis, redis_errors
from deploy.doctor.case import Case
from deploy.doctor.finding import Finding, error, good, warning
from deploy.stack.checks import check_redis, starts_redis

OLDEST: Final = (6, 2)
MOST_SKEW_S: Final = 1.0
KEEPS: Final = "noeviction"
WITH_SETTINGS: Final = (
    "Where systemd or compose runs the parts, run the doctor with their environment:"
    " `systemctl start galley-doctor` or `docker compose exec web python -m deploy.doctor`."
)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A Redis as it told of itself. `is_state` and `is_cache` say what it is for; it may be for both."""

    name: str
    facts: dict[str, Any]
    skew_s: float
    directory: bytes | None
    is_state: bool
    is_cache: bool

    @property
    def most_bytes(self) -> int:
        """What it may take; 0 is without a limit."""
        return int(self.facts.get("maxmemory", 0))

    @property
    def policy(self) -> str:
        """What it does when that is taken."""
        return str(self.facts.get("maxmemory_policy", KEEPS))


def redis_servers(case: Case) -> Iterator[Finding]:
    """Everything about the one or two servers that are named."""
    if starts_redis(case.settings) and not case.is_running:
        problems = check_redis(case.settings)
        if problems:
            yield error("redis", problems[0], "apt install redis-server, or set REDIS_URL.")
        elif case.is_production:
            yield warning("redis", "REDIS_URL names the socket of `make run`, which does not run now.", WITH_SETTINGS)
        else:
            yield good("redis", "The stack brings its own, and does not run now.")
        return

    for names, url in _servers(case).items():
        yield from _examine(case, names, url)


def _servers(case: Case) -> dict[tuple[str, ...], str]:
    settings = case.settings
    if settings.redis_url == settings.state_redis_url:
        return {("REDIS_URL", "STATE_REDIS_URL"): settings.redis_url}

    return {("REDIS_URL",): settings.redis_url, ("STATE_REDIS_URL",): settings.state_redis_url}


def _examine(case: Case, names: tuple[str, ...], url: str) -> Iterator[Finding]:
    label = f"redis ({' and '.join(names)})"
    try:
        server = _ask(label, names, url, timeout_s=case.settings.redis_timeout_s)
    except (RedisUnavailable, redis.RedisError) as err:
        reason = err.__cause__ or err
        yield error(label, f"It does not answer: {reason}.", f"Start it, or set {names[0]}.")
        return

    yield _age(server)
    yield _role(server)
    yield _clock(server)
    yield _sharing(case, server)
    if server.is_state:
        yield _keeping(case, server)
    yield _making_room(case, server)
    if server.is_cache:
        yield _answers(server, case.settings.cache_redis_memory)


def _ask(label: str, names: tuple[str, ...], url: str, *, timeout_s: float) -> Server:
    with closing(open_redis(url, timeout_s=timeout_s)) as client, redis_errors():
        facts: dict[str, Any] = client.info()
        directory: bytes | None = client.get(DIRECTORY_KEY)  # type: ignore[assignment]
        asked_at = time.time()
        seconds, micros = client.time()
        # On the way back it took half of the trip.
        skew_s = seconds + micros / 1e6 - (asked_at + time.time()) / 2
    is_state, is_cache = "STATE_REDIS_URL" in names, "REDIS_URL" in names
    return Server(name=label, facts=facts, skew_s=skew_s, directory=directory, is_state=is_state, is_cache=is_cache)


def _age(server: Server) -> Finding:
    found = str(server.facts["redis_version"])
    if tuple(map(int, found.split(".")[:2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return error(server.name, f"It is Redis {found}: some commands are missing.", f"Install {oldest} or newer.")

    return good(server.name, f"Redis {found} answers.")


def _role(server: Server) -> Finding:
    name = f"{server.name}: role"
    if server.facts.get("role") != "master":
        return error(name, "It is a replica, which takes no writes.", "Name the primary.")

    return good(name, "It takes writes.")


def _clock(server: Server) -> Finding:
    name = f"{server.name}: clock"
    if abs(server.skew_s) > MOST_SKEW_S:
        return warning(
            name,
            f"Its clock is {server.skew_s:+.1f} s off this machine's: limits and leases end sooner or later.",
            "Let both machines set their clocks by NTP.",
        )

    return good(name, "Its clock is this machine's.")


def _sharing(case: Case, server: Server) -> Finding:
    """Look whether the directory names runners of this machine whose sockets lie in another stack's folder."""
    name = f"{server.name}: whose"
    others = _foreign_runners(case, server.directory) if server.is_cache else []
    if others:
        return error(
            name,
            f"Another stack of this machine uses it: {others[0]}.",
            "Give each stack a Redis of its own, or a number of its own behind the / of the URL.",
        )

    return good(name, "No other stack of this machine uses it.")


def _foreign_runners(case: Case, directory: bytes | None) -> list[str]:
    try:
        runners = decode_directory(directory).runners if directory else []
    except msgspec.MsgspecError:
        return ["its directory of runners cannot be read"]

    here, own = socket.gethostname(), f"ipc://{case.settings.run_dir}/"
    return [runner.address for runner in runners if runner.host == here and not runner.address.startswith(own)]


def _keeping(case: Case, server: Server) -> Finding:
    name = f"{server.name}: persistence"
    if server.facts.get("aof_enabled"):
        if server.facts.get("aof_last_write_status", "ok") != "ok":
            return error(name, "It cannot write to its disk.", "Make room on its disk; its log says more.")
        return good(name, "What it is told is written down (AOF).")

    tell = error if case.is_production else warning
    return tell(
        name,
        "It writes nothing down at once: jobs' messages, accounts, sessions and usage are lost when it ends.",
        "appendonly yes, as in deploy/redis-state.conf.",
    )


def _making_room(case: Case, server: Server) -> Finding:
    name = f"{server.name}: memory"
    if server.is_state and server.policy != KEEPS:
        return error(
            name,
            f"maxmemory-policy is {server.policy}: when it is full it forgets jobs, accounts and sessions.",
            "maxmemory-policy noeviction, as in deploy/redis-state.conf; the cache may have a Redis of its own.",
        )
    if server.most_bytes == 0 and case.is_production:
        return warning(
            name,
            "maxmemory is 0: it grows until the kernel ends it.",
            "Set maxmemory: what docs/operations.md reckons, and half of the machine's memory at most.",
        )
    if not server.is_state and server.policy == KEEPS and server.most_bytes:
        return warning(
            name,
            "maxmemory-policy is noeviction: when it is full, no answer is kept and limits fail open.",
            "maxmemory-policy volatile-lru, as in deploy/redis-cache.conf.",
        )

    most = f"{server.most_bytes / 2**20:.0f} MiB" if server.most_bytes else "without a limit"
    return good(name, f"maxmemory: {most}; {server.policy}.")


def _answers(server: Server, limit_bytes: int) -> Finding:
    """Look whether kept answers stop before Redis is full where it refuses then, and no sooner where it makes room."""
    name, most = f"{server.name}: answers", server.most_bytes
    if server.policy == KEEPS and most and not 0 < limit_bytes < most:
        return warning(
            name,
            f"CACHE_REDIS_MEMORY is {limit_bytes}, not below its maxmemory of {most}: kept answers may fill it.",
            "Set CACHE_REDIS_MEMORY to half of its maxmemory, or give the cache a Redis that makes room.",
        )
    if server.policy != KEEPS and 0 < limit_bytes < most:
        return warning(
            name,
            f"No answers are kept beyond CACHE_REDIS_MEMORY of {limit_bytes}, and it would make room at {most} only.",
            "CACHE_REDIS_MEMORY=0 where the cache has a Redis of its own.",
        )

    return good(name, "Kept answers leave room for what else it holds.")
