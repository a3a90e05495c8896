"""Calls of heavy models in Redis: let in, waited for, taken by one worker, and answered."""

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Final, cast

import redis
from msgspec import Struct

from app.inference.heavy_messages import (
    CALLS_KEY,
    COSTS_KEY,
    WORKERS_KEY,
    HeavyCall,
    answer_key,
    call_key,
    decode_call,
    encode_call,
)
from app.inference.heavy_workers import HeavyWorkers
from app.inference.messages import Row
from app.infra.redis import make_state_redis, redis_errors
from app.settings import Settings
from model_store.model_ref import ModelRef

# For how long one command waits for an answer: so soon a Redis that hangs is noticed. Large rows have it, too.
PATIENCE_S: Final = 5.0
# How much later than asked Redis may say that nothing came.
LATE_S: Final = 0.25
# Whoever waits takes its answer at once; who is gone by then leaves it there.
ANSWER_KEPT_MS: Final = 10_000
COSTS_KEPT_S: Final = 24 * 3600
# How fast the measured cost follows the newest call.
_FOLLOW: Final = 0.3
# Callers of one process at once, most of which are refused; redis-py's own bound is a hundred.
_MOST_WAITING: Final = 4096


class Entrance(Struct, frozen=True):
    """Whether a call was let in, and what it found: the calls ahead, whose they are, and how long they will take."""

    verdict: str
    """`in`, `nobody` (no worker), `full` or `late`."""
    ticket: str
    calls: int
    held: int
    """Those of the client that asks."""
    clients: int
    """How many have calls, the one that asks included."""
    wait_s: float


class TakenCall(Struct, frozen=True, kw_only=True):
    """A call in a worker's hands, which has `left_s` seconds."""

    call: HeavyCall
    rows: list[bytes]
    left_s: float


class HeavyQueue:
    """The calls of all callers and all workers. Threads and greenlets may share it; `close` it at the end.

    :raises RedisUnavailable: from all methods, when Redis does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._client = make_state_redis(settings, most_connections=_MOST_WAITING)
        # Large rows may take longer than a command of Redis does.
        self._patient = make_state_redis(settings, patience_s=PATIENCE_S, most_connections=_MOST_WAITING)
        self.workers = HeavyWorkers(self._client)
        self._places = settings.heavy_queue
        self._most_bytes = settings.heavy_memory
        self._enter = self._client.register_script(files("app.infra").joinpath("enter_heavy.lua").read_text())

    def close(self) -> None:
        """Give back all connections."""
        self._client.close()
        self._patient.close()

    def enter(self, call: HeavyCall, rows: Sequence[Row]) -> Entrance:
        """Let a call in if there is a worker, room and time for it. `put` its rows then, and `leave` in every case."""
        own = (uuid.uuid4().hex, str(call.ref), sum(map(len, rows)), call.client_id, _ms(call.limit_s))
        with redis_errors():
            said = self._enter(keys=[CALLS_KEY, WORKERS_KEY, COSTS_KEY], args=[*own, self._places, self._most_bytes])
        verdict, ticket, calls, held, clients, wait_ms = cast(tuple[bytes, bytes, int, int, int, int], said)
        return Entrance(verdict.decode(), ticket.decode(), calls, held, clients, wait_ms / 1000)

    def put(self, ticket: str, call: HeavyCall, rows: Sequence[Row]) -> None:
        """Lay a call ready for whoever takes it."""
        client = self._patient if call.limit_s > PATIENCE_S else self._client
        _keep(client, call_key(ticket), [encode_call(call), *rows], kept_ms=_ms(call.limit_s))

    def wait(self, ticket: str, wait_s: float) -> list[bytes] | None:
        """Return the frames of a call's answer; None when it has not come within PATIENCE_S or `wait_s`."""
        key = answer_key(ticket)
        # Redis takes 0 for endless.
        wait_s = max(0.001, min(wait_s, PATIENCE_S))
        until = time.monotonic() + wait_s
        with redis_errors(), _connection_of(self._client) as connection:
            found = _ask(connection, "BLPOP", key, wait_s, until=until)
            return None if found is None else [found[1], *_ask(connection, "LRANGE", key, 0, -1, until=until)]

    def leave(self, ticket: str) -> None:
        """Take a call back: nobody waits for it any more, answered or not."""
        with redis_errors(), self._client.pipeline() as pipeline:
            pipeline.zrem(CALLS_KEY, ticket)
            pipeline.unlink(call_key(ticket), answer_key(ticket))
            pipeline.execute()

    def take(self, ticket: str) -> TakenCall | None:
        """Take a call out; None when another worker has it, its caller is gone, or it is too late."""
        with redis_errors(), self._patient.pipeline() as pipeline:
            pipeline.zscore(CALLS_KEY, ticket)
            pipeline.time()
            # Read and deleted at once: whoever comes second finds nothing.
            pipeline.lrange(call_key(ticket), 0, -1)
            pipeline.unlink(call_key(ticket))
            deadline_ms, (seconds, microseconds), frames, _ = pipeline.execute()
        if deadline_ms is None or not frames:
            return None

        left_s = deadline_ms / 1000 - seconds - microseconds / 1_000_000
        return TakenCall(call=decode_call(frames[0]), rows=frames[1:], left_s=left_s) if left_s > 0 else None

    def answer(self, ticket: str, frames: Sequence[bytes]) -> bool:
        """Hand a call's answer to its caller; return whether it still waits."""
        return self._answer(self._patient, ticket, frames)

    def refuse(self, ticket: str, refusal: bytes) -> bool:
        """Tell a call's caller why there is no answer, in the time of short commands; return whether it still waits."""
        return self._answer(self._client, ticket, [refusal])

    def note_cost(self, ref: ModelRef, took_s: float) -> None:
        """Let later callers know what a call of a version takes."""
        with redis_errors():
            known = cast(bytes | None, self._client.hget(COSTS_KEY, str(ref)))
            cost_ms = _ms(took_s) if known is None else int(known) + _FOLLOW * (_ms(took_s) - int(known))
            with self._client.pipeline() as pipeline:
                pipeline.hset(COSTS_KEY, str(ref), str(round(cost_ms)))
                pipeline.expire(COSTS_KEY, COSTS_KEPT_S)
                pipeline.execute()

    def _answer(self, client: redis.Redis, ticket: str, frames: Sequence[bytes]) -> bool:
        with redis_errors():
            if self._client.zscore(CALLS_KEY, ticket) is None:
                return False

        _keep(client, answer_key(ticket), frames, kept_ms=ANSWER_KEPT_MS)
        return True


def _keep(client: redis.Redis, key: str, frames: Sequence[Row], *, kept_ms: int) -> None:
    with redis_errors(), client.pipeline() as pipeline:
        pipeline.rpush(key, *map(bytes, frames))
        pipeline.pexpire(key, kept_ms)
        pipeline.execute()


@contextmanager
def _connection_of(client: redis.Redis) -> Iterator[Any]:
    pool = client.connection_pool
    connection = pool.get_connection()
    try:
        yield connection
    finally:
        pool.release(connection)


def _ask(connection: Any, *command: str | float, until: float) -> Any:
    """Return what Redis says to a command. When it hangs, the connection is dropped soon after `until`."""
    connection.send_command(*command)
    return connection.read_response(timeout=max(0.0, until - time.monotonic()) + LATE_S)


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
