"""Queues are looked into, and nothing is taken of them."""

import json
from unittest import mock

import pytest
import redis

from app.errors import RedisUnavailable
from app.infra.broker import queue_keys
from app.infra.broker_queues import SENT_AT, BrokerQueues, Waiting
from tests.fakes.clock import START, FakeClock

# What the lists of an empty queue answer: one for each priority.
NONE = (0, None) * len(queue_keys("any"))


@pytest.fixture
def client() -> mock.NonCallableMagicMock:
    client: mock.NonCallableMagicMock = mock.create_autospec(redis.Redis, instance=True)
    client.pipeline.return_value.__enter__.return_value.execute.return_value = []
    return client


def answering(client: mock.NonCallableMagicMock, *answers: object) -> BrokerQueues:
    client.pipeline.return_value.__enter__.return_value.execute.return_value = list(answers)
    clock = FakeClock()
    clock.advance(30)
    return BrokerQueues(client, clock=clock.clock())


def message(**headers: object) -> bytes:
    return json.dumps({"body": "e30=", "headers": headers}).encode()


def test_messages_of_all_queues_are_counted(client: mock.NonCallableMagicMock) -> None:
    assert answering(client, 3, 0, 4).count(["batch", "heavy", "upkeep"]) == 7


def test_oldest_message_tells_its_age(client: mock.NonCallableMagicMock) -> None:
    first, second = message(**{SENT_AT: START + 15.0}), message(**{SENT_AT: START + 10.0})
    queues = answering(client, 2, first, 1, second, *NONE[4:], *NONE)

    waiting = queues.look(["batch", "heavy"])
    assert waiting == {"batch": Waiting(messages=3, oldest_s=20.0), "heavy": Waiting(messages=0, oldest_s=0.0)}
    asked = client.pipeline.return_value.__enter__.return_value.lindex.call_args_list
    assert [call.args for call in asked] == [(key, -1) for name in ("batch", "heavy") for key in queue_keys(name)]


@pytest.mark.parametrize("headers", [{}, {SENT_AT: "yesterday"}, {SENT_AT: START + 3600}])
def test_message_that_says_nothing_of_use_has_no_age(
    client: mock.NonCallableMagicMock, headers: dict[str, object]
) -> None:
    assert answering(client, 1, message(**headers), *NONE[2:]).look(["batch"])["batch"].oldest_s == 0.0


def test_outage_is_told(client: mock.NonCallableMagicMock) -> None:
    queues = answering(client)
    client.pipeline.return_value.__enter__.return_value.execute.side_effect = redis.ConnectionError("away")

    with pytest.raises(RedisUnavailable):
        queues.count(["batch"])
