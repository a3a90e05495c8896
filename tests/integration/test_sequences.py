"""Runners that share a Redis: whoever moves a sequence, each event is in it once, and two runners never lose one."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.infra.redis import make_redis
from tests.factories.redis_server import RedisServer
from tests.factories.sequences import BASE, answers_of, make_event, make_folds
from tests.factories.settings import make_settings
from workers.runner.sequence_store import SequenceStore
from workers.runner.sequences import SequenceRunner

RUNNERS = 3
EVENTS = 60
TRIES = 200


@pytest.fixture
def runners(redis_server: RedisServer, tmp_path: Path) -> Iterator[list[SequenceRunner]]:
    with make_redis(make_settings(tmp_path, redis_url=redis_server.url)) as client:
        client.flushall()
        made = []
        for number in range(RUNNERS):
            (tmp_path / f"{number}").mkdir()
            made.append(make_folds(tmp_path / f"{number}", SequenceStore(client)))
        yield made


def test_every_event_is_in_its_sequence_once(runners: list[SequenceRunner]) -> None:
    """Each runner sends all events, in an order of its own, until each is answered: one move each, and one answer."""
    told: list[dict[str, str]] = [{} for _ in runners]

    def send(number: int) -> None:
        generator = random.Random(number)
        for _ in range(TRIES):
            left = [event for event in range(EVENTS) if f"e{event}" not in told[number]]
            events = generator.sample(left, min(5, len(left)))
            sent = [make_event(f"a{event % 4}", 1, f"e{event}") for event in events]
            for event, answer in zip(events, answers_of(runners[number], sent), strict=True):
                if answer != "sequence_moved":
                    told[number][f"e{event}"] = answer

    threads = [threading.Thread(target=send, args=(number,)) for number in range(RUNNERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert told[0] == told[1] == told[2]
    ranks = sorted(answer.partition(":")[0] for answer in told[0].values())
    assert ranks == sorted(str(rank) for rank in range(1, EVENTS // 4 + 1) for _ in range(4))


def test_a_sequence_goes_on_in_another_runner(runners: list[SequenceRunner]) -> None:
    answers = [answers_of(runners[turn % RUNNERS], [make_event("a", 1)])[0] for turn in range(7)]

    assert answers == [f"{count}:{(BASE**count - 1) // (BASE - 1)}" for count in range(1, 8)]
