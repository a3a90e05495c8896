"""The blows: what each does, to whom, and which refusals callers may be told for it."""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from tests.chaos.answers import CONNECTION, SCRAPE_LATE, SCRAPE_REFUSED
from tests.chaos.ground import CALLERS, REDIS, SQL, STATE, WEB, Ground
from tests.factories.redis_server import RedisServer

SHORTEST_S, LONGEST_S = 0.5, 4.0
# How long callers may be without an answer: where another of its kind goes on, or something is back at once; where a
# database reads its files; where a model is loaded; and where the whole web tier, or all runners, start anew.
BRIEFLY_S, DATABASE_S, MODEL_S, TIER_S = 10.0, 20.0, 30.0, 45.0

DISK = "disk"

Strike = Callable[[Ground, random.Random], str]
Find = Callable[[Ground], list[psutil.Process]]


@dataclass(frozen=True, kw_only=True)
class Blow:
    """One thing that happens to a part. No two fall on the same part at once."""

    part: str
    strike: Strike
    excuses: frozenset[str] = frozenset()
    silence_s: float = BRIEFLY_S
    """For how long a kind of caller may go without a good answer because of it, on a machine with two cores."""


# What callers may be told while a part is away. Whatever is not here is to go unnoticed.
HANDSHAKES_REFUSED = frozenset({"handshake timeout", "handshake 502", "handshake 503", "handshake 504"})
WEB_AWAY = frozenset({CONNECTION, "unavailable", "draining", SCRAPE_REFUSED, SCRAPE_LATE}) | HANDSHAKES_REFUSED
RUNNER_AWAY = frozenset({"runner_lost", "model_loading"})
REDIS_AWAY = frozenset({"redis_unavailable", "sequence_moved"})
SQL_AWAY = frozenset({"database_unavailable"})
CELERY_AWAY = frozenset({"job_abandoned"})


def _lasts(rng: random.Random) -> float:
    return rng.uniform(SHORTEST_S, LONGEST_S)


def _one(find: Find, number: signal.Signals) -> Strike:
    """Send a signal to one process; one that is stopped goes on after a while."""

    def strike(ground: Ground, rng: random.Random) -> str:
        found = sorted(find(ground), key=lambda process: process.pid)
        if not found:
            return "nobody: it was away"

        victim = rng.choice(found)
        try:
            victim.send_signal(number)
            if number == signal.SIGSTOP:
                time.sleep(_lasts(rng))
                victim.send_signal(signal.SIGCONT)
            elif number != signal.SIGHUP:
                ground.to_end.append(victim)
        except psutil.NoSuchProcess:
            return "nobody: it had just ended"
        return f"process {victim.pid}"

    return strike


def _outage(begin: Callable[[Ground], object], end: Callable[[Ground], object]) -> Strike:
    """Take a part away, and give it back after a while."""

    def strike(ground: Ground, rng: random.Random) -> str:
        length_s = _lasts(rng)
        begin(ground)
        time.sleep(length_s)
        end(ground)
        return f"for {length_s:.1f} s"

    return strike


def _held(wire: str) -> Strike:
    return _outage(lambda ground: ground.wires.hold(wire), lambda ground: ground.wires.release(wire))


def _cut(wire: str) -> Strike:
    return lambda ground, _: f"{ground.wires.cut(wire)} connections"


def _redis_killed(find: Callable[[Ground], RedisServer]) -> Strike:
    return _outage(lambda ground: find(ground).stop(), lambda ground: find(ground).start())


def _redis_frozen(find: Callable[[Ground], RedisServer]) -> Strike:
    return _outage(lambda ground: find(ground).freeze(), lambda ground: find(ground).thaw())


def _redis_restarted(ground: Ground, _: random.Random) -> str:
    ground.full.state_redis.restart()
    return "as an operator does"


def _postgres_kill(ground: Ground) -> None:
    ground.full.postgres.kill()


def _postgres_back(ground: Ground) -> None:
    ground.full.postgres.restart()


def _postgres_restarted(ground: Ground, _: random.Random) -> str:
    ground.full.postgres.end()
    ground.full.postgres.restart()
    return "as an operator does"


def _servers_changed(ground: Ground, rng: random.Random) -> str:
    """Have the doorkeeper start another server, and let the one before finish what it holds: only then all is back."""
    before = _master(ground)
    told = _one(_doorkeeper, signal.SIGHUP)(ground, rng)
    if told.startswith("process"):
        ground.to_end.extend(before)
    return told


def _nginx_reloaded(ground: Ground, _: random.Random) -> str:
    ground.full.nginx.reload()
    return "as an operator does"


def _disk_filled(ground: Ground, rng: random.Random) -> str:
    assert ground.disk is not None
    filler, length_s = ground.disk.folder / "filler", _lasts(rng)
    place = os.statvfs(ground.disk.folder)
    # Somebody else may take the last of it meanwhile: it is full all the same.
    with suppress(OSError):
        filler.write_bytes(bytes(place.f_bavail * place.f_frsize))
    time.sleep(length_s)
    filler.unlink()
    return f"for {length_s:.1f} s"


def _controller(ground: Ground) -> list[psutil.Process]:
    return ground.stack.part("galley-controller")


def _celery(ground: Ground) -> list[psutil.Process]:
    return ground.stack.part("MainProcess")


def _master(ground: Ground) -> list[psutil.Process]:
    return ground.stack.find("gunicorn: master")


def _doorkeeper(ground: Ground) -> list[psutil.Process]:
    return ground.stack.part("deploy.doorkeeper")


def _nginx(ground: Ground) -> list[psutil.Process]:
    return psutil.Process(ground.full.nginx.pid).children()


def _state(ground: Ground) -> RedisServer:
    return ground.full.state_redis


def _cache(ground: Ground) -> RedisServer:
    return ground.full.redis


def _signals(name: str, find: Find, excuses: frozenset[str], *, silence_s: float = BRIEFLY_S) -> dict[str, Blow]:
    """Return the three ways to be rude to a process."""
    ways = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "end": signal.SIGTERM}
    return {
        f"{way} {name}": Blow(part=name, strike=_one(find, number), excuses=excuses, silence_s=silence_s)
        for way, number in ways.items()
    }


BLOWS: dict[str, Blow] = {
    **_signals("a web worker", Ground.web_workers, WEB_AWAY),
    **_signals("gunicorn", _master, WEB_AWAY, silence_s=TIER_S),
    **_signals("the doorkeeper", _doorkeeper, WEB_AWAY, silence_s=TIER_S),
    # One server takes over from the other: only who opens a socket in the last second of the old one may notice.
    "have the doorkeeper change servers": Blow(
        part="the doorkeeper", strike=_servers_changed, excuses=frozenset({"handshake 503"})
    ),
    **_signals("a runner", Ground.runners, RUNNER_AWAY, silence_s=MODEL_S),
    **_signals("the controller", _controller, RUNNER_AWAY, silence_s=TIER_S),
    **_signals("Celery", _celery, CELERY_AWAY),
    "kill a process of Celery's": Blow(part="Celery", strike=_one(Ground.pool, signal.SIGKILL), excuses=CELERY_AWAY),
    "stop a process of Celery's": Blow(part="Celery", strike=_one(Ground.pool, signal.SIGSTOP), excuses=CELERY_AWAY),
    "kill the state's Redis": Blow(
        part="state", strike=_redis_killed(_state), excuses=REDIS_AWAY, silence_s=DATABASE_S
    ),
    "stop the state's Redis": Blow(part="state", strike=_redis_frozen(_state), excuses=REDIS_AWAY),
    "restart the state's Redis": Blow(part="state", strike=_redis_restarted, excuses=REDIS_AWAY, silence_s=DATABASE_S),
    "kill the cache's Redis": Blow(
        part="cache", strike=_redis_killed(_cache), excuses=REDIS_AWAY, silence_s=DATABASE_S
    ),
    "stop the cache's Redis": Blow(part="cache", strike=_redis_frozen(_cache), excuses=REDIS_AWAY),
    "kill PostgreSQL": Blow(
        part="postgres", strike=_outage(_postgres_kill, _postgres_back), excuses=SQL_AWAY, silence_s=DATABASE_S
    ),
    "restart PostgreSQL": Blow(part="postgres", strike=_postgres_restarted, excuses=SQL_AWAY, silence_s=DATABASE_S),
    "reload nginx": Blow(part="nginx", strike=_nginx_reloaded, excuses=frozenset({CONNECTION})),
    "kill a worker of nginx": Blow(part="nginx", strike=_one(_nginx, signal.SIGKILL), excuses=frozenset({CONNECTION})),
    "cut callers off": Blow(part=CALLERS, strike=_cut(CALLERS), excuses=frozenset({CONNECTION})),
    "cut nginx off gunicorn": Blow(part=WEB, strike=_cut(WEB), excuses=WEB_AWAY),
    "cut the state's Redis off": Blow(part=f"wire {STATE}", strike=_cut(STATE), excuses=REDIS_AWAY),
    "cut the cache's Redis off": Blow(part=f"wire {REDIS}", strike=_cut(REDIS), excuses=REDIS_AWAY),
    "cut PostgreSQL off": Blow(part=f"wire {SQL}", strike=_cut(SQL), excuses=SQL_AWAY),
    "hold the wire to PostgreSQL": Blow(part=f"wire {SQL}", strike=_held(SQL), excuses=SQL_AWAY),
    "hold the wire to the state's Redis": Blow(part=f"wire {STATE}", strike=_held(STATE), excuses=REDIS_AWAY),
    "hold the wire to the cache's Redis": Blow(part=f"wire {REDIS}", strike=_held(REDIS), excuses=REDIS_AWAY),
    "fill the disk of jobs": Blow(part=DISK, strike=_disk_filled, excuses=frozenset({"disk_full"})),
}


def blows_for(ground: Ground) -> dict[str, Blow]:
    """Return the blows that can fall on this machine: a disk can be filled only where one may be mounted."""
    return {name: blow for name, blow in BLOWS.items() if blow.part != DISK or ground.disk is not None}
