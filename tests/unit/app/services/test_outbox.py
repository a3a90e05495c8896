"""Batches are sent, kept while Redis is away, and given up where it refuses them or at the end."""

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry, Counter
from redis.exceptions import ResponseError

from app.errors import RedisUnavailable
from app.services.outbox import Outbox

AWAY = RedisUnavailable("It was taken away.")


@dataclass(frozen=True)
class Batch:
    """As much as its size says."""

    size: int


class Receiver:
    """Takes batches, or raises what it is told to."""

    def __init__(self) -> None:
        self.taken: list[Batch] = []
        self.errors: Iterator[Exception | None] = itertools.repeat(None)

    def add(self, batch: Batch) -> None:
        self.taken.append(batch)
        error = next(self.errors)
        if error:
            raise error


@pytest.fixture
def waiting() -> deque[Batch]:
    return deque([Batch(2), Batch(3)])


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def dropped() -> Counter:
    return Counter("dropped", "Given up.", registry=CollectorRegistry())


@pytest.fixture
def outbox(waiting: deque[Batch], receiver: Receiver, dropped: Counter) -> Outbox[Batch]:
    def next_batch() -> Batch | None:
        return waiting.popleft() if waiting else None

    return Outbox("batches", next_batch, receiver.add, every_s=60.0, dropped=dropped)


def count_of(counter: Counter) -> float:
    [metric] = counter.collect()
    return metric.samples[0].value


def test_all_that_waits_is_sent(outbox: Outbox[Batch], receiver: Receiver) -> None:
    assert outbox.flush()
    assert receiver.taken == [Batch(2), Batch(3)]
    assert outbox.flush()
    assert len(receiver.taken) == 2


def test_a_batch_that_failed_is_sent_again_as_it_was(outbox: Outbox[Batch], receiver: Receiver) -> None:
    receiver.errors = iter([AWAY, AWAY, None, None])

    assert [outbox.flush() for _ in range(3)] == [False, False, True]
    assert receiver.taken == [Batch(2), Batch(2), Batch(2), Batch(3)]


def test_a_batch_that_redis_refuses_holds_up_no_other(
    outbox: Outbox[Batch], receiver: Receiver, dropped: Counter
) -> None:
    receiver.errors = iter([ResponseError("WRONGTYPE"), None])

    assert outbox.flush()
    assert receiver.taken == [Batch(2), Batch(3)]
    assert count_of(dropped) == 2


def test_stopping_sends_what_waits(outbox: Outbox[Batch], receiver: Receiver) -> None:
    outbox.start()
    outbox.stop()

    assert receiver.taken == [Batch(2), Batch(3)]


def test_what_nobody_takes_at_the_end_is_counted(outbox: Outbox[Batch], receiver: Receiver, dropped: Counter) -> None:
    receiver.errors = itertools.repeat(AWAY)
    outbox.start()
    outbox.stop()

    assert count_of(dropped) == 5
