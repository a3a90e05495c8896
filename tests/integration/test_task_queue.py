"""Tasks are queued on a real Redis, and one that is away or hangs holds no sender for long."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu.entity import Exchange, Queue

from app.errors import RedisUnavailable
from app.infra.broker import queue_keys
from app.infra.task_names import QueueName, TaskName
from app.infra.task_queue import MOST_CONNECTIONS, TaskQueue
from tests.factories.celery_worker import make_sender
from tests.factories.redis_server import RedisServer, running_redis
from tests.factories.settings import make_settings

# Left to itself, kombu tries for six seconds to reach a Redis that is away, and waits for seven for one that hangs.
AT_ONCE_S = 3.0


@contextmanager
def sending(folder: Path, **settings: Any) -> Iterator[TaskQueue]:
    """Yield a queue of tasks, and close it."""
    with closing(TaskQueue(make_settings(folder, **settings))) as queue:
        yield queue


def test_task_waits_in_its_queue(redis_server: RedisServer, tmp_path: Path) -> None:
    with sending(tmp_path, redis_url=redis_server.url) as queue:
        for number in range(3):
            queue.send(TaskName.VERIFY_VERSION, f"job-{number}")
        queue.send(TaskName.SWEEP_STAGING)

    with redis.Redis.from_url(redis_server.url) as client:
        waiting = client.lrange(QueueName.VERIFICATION.value, 0, -1)
        assert client.llen(QueueName.UPKEEP.value) == 1
    assert len(waiting) == 3
    assert all(TaskName.VERIFY_VERSION.value.encode() in message for message in waiting)


def test_what_nobody_waits_for_has_a_list_that_is_served_later(redis_server: RedisServer, tmp_path: Path) -> None:
    with sending(tmp_path, redis_url=redis_server.url) as queue:
        queue.send(TaskName.RUN_HEAVY_CHUNK)
        queue.send(TaskName.INFER_HEAVY, "call")

    with redis.Redis.from_url(redis_server.url) as client:
        first, *_ = waiting = [client.lrange(key, 0, -1) for key in queue_keys(QueueName.HEAVY.value)]
    assert [TaskName.INFER_HEAVY.value.encode() in message for message in first] == [True]
    assert sum(map(len, waiting)) == 2


def test_worker_of_all_queues_takes_what_somebody_waits_for_first(redis_server: RedisServer, tmp_path: Path) -> None:
    taken: list[str] = []
    with sending(tmp_path, redis_url=redis_server.url) as queue:
        for ticket in (TaskName.RUN_CHUNK, TaskName.RUN_HEAVY_CHUNK, TaskName.RUN_CHUNK, TaskName.INFER_HEAVY):
            queue.send(ticket)

    def note(_body: object, message: Any) -> None:
        taken.append(message.headers["task"])
        message.ack()

    queues = [Queue(name.value, Exchange(name.value), routing_key=name.value) for name in QueueName]
    with (
        make_sender(make_settings(tmp_path, redis_url=redis_server.url)) as app,
        app.connection_for_read() as connection,
        connection.Consumer(queues, callbacks=[note]),
    ):
        while len(taken) < 4:
            connection.drain_events(timeout=AT_ONCE_S)

    assert taken[0] == TaskName.INFER_HEAVY.value
    assert sorted(taken[1:]) == [TaskName.RUN_CHUNK.value] * 2 + [TaskName.RUN_HEAVY_CHUNK.value]


def test_redis_that_is_away_is_told_at_once(tmp_path: Path) -> None:
    with sending(tmp_path, redis_url=f"unix://{tmp_path}/nothing.sock") as queue:
        started = time.monotonic()
        with pytest.raises(RedisUnavailable):
            queue.send(TaskName.VERIFY_VERSION, "job")
    assert time.monotonic() - started < AT_ONCE_S


def test_redis_that_hangs_is_told_within_its_timeout_and_serves_again(tmp_path: Path) -> None:
    with running_redis() as server, sending(tmp_path, redis_url=server.url, redis_timeout_s=0.2) as queue:
        queue.send(TaskName.VERIFY_VERSION, "job")
        server.freeze()

        started = time.monotonic()
        with pytest.raises(RedisUnavailable):
            queue.send(TaskName.VERIFY_VERSION, "job")
        assert time.monotonic() - started < AT_ONCE_S

        server.thaw()
        queue.send(TaskName.VERIFY_VERSION, "job")


def test_who_finds_all_connections_held_waits_for_its_timeout_only(redis_server: RedisServer, tmp_path: Path) -> None:
    with sending(tmp_path, redis_url=redis_server.url, redis_timeout_s=0.2) as queue, ExitStack() as held:
        for _ in range(MOST_CONNECTIONS):
            held.enter_context(queue._connections.acquire())

        started = time.monotonic()
        with pytest.raises(RedisUnavailable):
            queue.send(TaskName.VERIFY_VERSION, "job")
        assert time.monotonic() - started < AT_ONCE_S

        held.close()
        queue.send(TaskName.VERIFY_VERSION, "job")


def test_kept_connection_outlives_a_restart_of_redis(tmp_path: Path) -> None:
    with running_redis() as server, sending(tmp_path, redis_url=server.url) as queue:
        queue.send(TaskName.VERIFY_VERSION, "job")
        server.stop()
        server.start()

        queue.send(TaskName.VERIFY_VERSION, "job")

        with redis.Redis.from_url(server.url) as client:
            assert client.llen(QueueName.VERIFICATION.value) == 1
