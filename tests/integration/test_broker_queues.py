"""Queues of a real Redis are looked into while they fill and empty."""

import time
from contextlib import closing
from pathlib import Path

import pytest
import redis

from app.infra.broker_queues import BrokerQueues, Waiting
from app.infra.clock import Clock
from app.infra.task_names import TaskName
from app.infra.task_queue import TaskQueue
from tests.factories.redis_server import RedisServer
from tests.factories.settings import make_settings

LATER = Clock(now=lambda: time.time() + 100)
NONE = Waiting(messages=0, oldest_s=0.0)


def test_messages_of_every_priority_are_seen(redis_server: RedisServer, tmp_path: Path) -> None:
    with closing(TaskQueue(make_settings(tmp_path, redis_url=redis_server.url))) as queue:
        for task in (TaskName.PLAN_JOB, TaskName.RUN_CHUNK, TaskName.INFER_HEAVY):
            queue.send(task, "job")

    with redis.Redis.from_url(redis_server.url) as client:
        queues = BrokerQueues(client, clock=LATER)
        waiting = queues.look(["batch", "heavy", "upkeep"])
        assert queues.count(["batch", "heavy", "upkeep"]) == 3
    assert [waiting[name].messages for name in ("batch", "heavy")] == [2, 1]
    assert [waiting[name].oldest_s for name in ("batch", "heavy")] == [pytest.approx(100, abs=30)] * 2
    assert waiting["upkeep"] == NONE
