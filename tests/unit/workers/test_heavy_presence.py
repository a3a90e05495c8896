"""A worker says that it serves heavy models while it does, whatever Redis does meanwhile."""

from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from app.errors import RedisUnavailable
from app.inference.heavy_workers import EVERY_S, HeavyWorkers
from workers.heavy_presence import HeavyPresence


def make_consumer(*queues: str) -> Any:
    """Return what the step knows of a consumer, with workers that remember what they were told."""
    workers = mock.create_autospec(HeavyWorkers, instance=True)
    return SimpleNamespace(
        app=SimpleNamespace(
            amqp=SimpleNamespace(queues=SimpleNamespace(consume_from=dict.fromkeys(queues))),
            heavy_queue=SimpleNamespace(workers=workers),
        ),
        hostname="celery@here",
        pool=SimpleNamespace(num_processes=2),
        timer=mock.Mock(),
    )


def test_worker_is_there_from_its_start_to_its_end() -> None:
    consumer = make_consumer("batch", "heavy")
    workers = consumer.app.heavy_queue.workers
    step = HeavyPresence(consumer)

    step.start(consumer)
    workers.announce.assert_called_once_with("celery@here", 2)
    every_s, announce, args = consumer.timer.call_repeatedly.call_args.args
    announce(*args)
    assert (every_s, workers.announce.call_count) == (EVERY_S, 2)

    step.stop(consumer)
    step.stop(consumer)
    consumer.timer.call_repeatedly.return_value.cancel.assert_called_once_with()
    workers.retire.assert_called_with("celery@here", 2)


def test_worker_of_other_queues_says_nothing() -> None:
    consumer = make_consumer("batch")

    HeavyPresence(consumer).start(consumer)

    consumer.app.heavy_queue.workers.announce.assert_not_called()


@pytest.mark.parametrize("verb", ["announce", "retire"])
def test_worker_goes_on_without_redis(verb: str) -> None:
    consumer = make_consumer("heavy")
    getattr(consumer.app.heavy_queue.workers, verb).side_effect = RedisUnavailable("Away.")
    step = HeavyPresence(consumer)

    step.start(consumer)
    step.stop(consumer)

    getattr(consumer.app.heavy_queue.workers, verb).assert_called_once()
