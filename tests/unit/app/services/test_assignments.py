"""What the log takes, keeps and gives up; tests/integration/test_assignments.py has it write to a real Redis."""

from unittest import mock

import pytest
from prometheus_client import REGISTRY
from redis.exceptions import ResponseError

from app.errors import RedisUnavailable
from app.services import assignments
from app.services.assignment_batches import MOST_PER_BATCH, Batch, Ending
from app.services.assignments import AssignmentLog
from app.services.experiment_store import ExperimentStore
from app.services.routing import Router
from tests.factories.assignments import KEEPING, make_assignment

AWAY = RedisUnavailable("It was taken away.")


@pytest.fixture
def store() -> mock.Mock:
    store: mock.Mock = mock.create_autospec(ExperimentStore, instance=True)
    return store


@pytest.fixture
def log(store: mock.Mock) -> AssignmentLog:
    return AssignmentLog(store, Router(dict), KEEPING)


def written(store: mock.Mock) -> list[Batch]:
    return [call.args[0] for call in store.add.call_args_list]


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_nothing_is_written_when_nothing_waits(log: AssignmentLog, store: mock.Mock) -> None:
    assert log.flush()
    assert written(store) == []


def test_what_waits_is_written_in_batches(log: AssignmentLog, store: mock.Mock) -> None:
    for number in range(MOST_PER_BATCH + 1):
        log.note(make_assignment(number))

    assert log.flush()
    assert [batch.size for batch in written(store)] == [MOST_PER_BATCH, 1]


def test_a_batch_that_failed_is_sent_again_as_it_was(log: AssignmentLog, store: mock.Mock) -> None:
    log.note(make_assignment(1))
    store.add.side_effect = AWAY
    assert not log.flush()
    log.note(make_assignment(2))
    store.add.side_effect = None

    assert log.flush()
    first, again, other = written(store)
    assert first is again
    assert other.size == 1


def test_a_batch_that_redis_refuses_holds_up_no_other(log: AssignmentLog, store: mock.Mock) -> None:
    dropped = value("galley_assignments_dropped_total")
    log.note(make_assignment(1))
    store.add.side_effect = [ResponseError("WRONGTYPE"), None]
    assert log.flush()
    log.note(make_assignment(2))

    assert log.flush()
    assert value("galley_assignments_dropped_total") - dropped == 1


def test_what_waits_is_bounded_and_drops_are_counted(
    log: AssignmentLog, store: mock.Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assignments, "MOST_PENDING", 3)
    dropped = value("galley_assignments_dropped_total")
    for number in range(5):
        log.note(make_assignment(number))

    assert log.flush()
    assert [batch.size for batch in written(store)] == [3]
    assert value("galley_assignments_dropped_total") - dropped == 2


def test_stopping_writes_what_waits(log: AssignmentLog, store: mock.Mock) -> None:
    log.start()
    log.note(make_assignment(1))
    log.stop()

    assert sum(batch.size for batch in written(store)) == 1


def test_what_nobody_takes_at_the_end_is_counted_as_dropped(log: AssignmentLog, store: mock.Mock) -> None:
    dropped = value("galley_assignments_dropped_total")
    store.add.side_effect = AWAY
    log.start()
    for number in range(7):
        log.note(make_assignment(number))
    log.stop()

    assert value("galley_assignments_dropped_total") - dropped == 7


def test_each_request_is_measured_by_variant(log: AssignmentLog) -> None:
    labels = {"model": "measured", "variant": "control", "version": "1"}
    for ending in (Ending.ANSWERED, Ending.ANSWERED, Ending.ERROR, Ending.CALLER_ERROR):
        log.note(make_assignment(model_name="measured", ending=ending, seconds=0.25))

    counted = {ending: value("galley_variant_requests_total", outcome=ending.value, **labels) for ending in Ending}
    assert counted == {Ending.ANSWERED: 2, Ending.ERROR: 1, Ending.CALLER_ERROR: 1}
    assert value("galley_variant_seconds_count", **labels) == 2
    assert value("galley_variant_seconds_sum", **labels) == pytest.approx(0.5)
