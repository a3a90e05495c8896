"""Tasks are queued on a real Redis, and one that is away or hangs holds no sender for long."""

import time
from pathlib import Path

import pytest
import redis

from app.errors import RedisUnavailable
from app.infra.task_names import QueueName, TaskName
from app.infra.task_queue import TaskQueue
from tests.factories.redis_server import RedisServer, running_redis
from tests.factories.settings import make_settings

# Left to itself, kombu tries for six seconds to reach a Redis that is away, and waits for seven for one that hangs.
AT_ONCE_S = 3.0


def test_task_waits_in_its_queue(redis_server: RedisServer, tmp_path: Path) -> None:
    queue = TaskQueue(make_settings(tmp_path, redis_url=redis_server.url))
    for number in range(3):
        queue.send(TaskName.VERIFY_VERSION, f"job-{number}")
    queue.send(TaskName.RESEND_JOBS)

    with redis.Redis.from_url(redis_server.url) as client:
        waiting = client.lrange(QueueName.VERIFICATION.value, 0, -1)
        assert client.llen(QueueName.UPKEEP.value) == 1
    assert len(waiting) == 3
    assert all(TaskName.VERIFY_VERSION.value.encode() in message for message in waiting)


def test_redis_that_is_away_is_told_at_once(tmp_path: Path) -> None:
    queue = TaskQueue(make_settings(tmp_path, redis_url=f"unix://{tmp_path}/nothing.sock"))

    started = time.monotonic()
    with pytest.raises(RedisUnavailable):
        queue.send(TaskName.VERIFY_VERSION, "job")
    assert time.monotonic() - started < AT_ONCE_S


def test_redis_that_hangs_is_told_within_its_timeout(tmp_path: Path) -> None:
    with running_redis() as server:
        queue = TaskQueue(make_settings(tmp_path, redis_url=server.url, redis_timeout_s=0.2))
        queue.send(TaskName.VERIFY_VERSION, "job")
        server.freeze()

        started = time.monotonic()
        with pytest.raises(RedisUnavailable):
            queue.send(TaskName.VERIFY_VERSION, "job")
        assert time.monotonic() - started < AT_ONCE_S
