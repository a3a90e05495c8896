"""What the usage log takes, folds and gives up; tests/integration/test_usage.py has it write to a real Redis."""

from unittest import mock

import pytest
from prometheus_client import REGISTRY

from app.errors import RedisUnavailable
from app.services import usage
from app.services.usage import UsageLog
from app.services.usage_store import UsageBatch, UsageStore
from tests.fakes.clock import START, FakeClock

TODAY = "galley:usage:checkout:2027-01-15"


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> mock.Mock:
    store: mock.Mock = mock.create_autospec(UsageStore, instance=True)
    return store


@pytest.fixture
def log(store: mock.Mock, time: FakeClock) -> UsageLog:
    return UsageLog(store, time.clock())


def written(store: mock.Mock) -> list[UsageBatch]:
    return [call.args[0] for call in store.add.call_args_list]


def dropped() -> float:
    return REGISTRY.get_sample_value("galley_usage_dropped_total") or 0.0


def test_requests_are_counted_by_class_and_model(log: UsageLog, store: mock.Mock) -> None:
    for status, model, rows in ((200, "digits", 3), (200, "digits", 1), (429, "", 0), (404, "", 0), (503, "digits", 0)):
        log.note("checkout", "inference", status, model, rows)

    assert log.flush()
    [batch] = written(store)
    assert batch.size == 5
    assert batch.days[TODAY] == {
        "class:inference:requests": 5,
        "class:inference:answered": 2,
        "class:inference:refused": 1,
        "class:inference:caller_errors": 1,
        "class:inference:errors": 1,
        "class:inference:rows": 4,
        "model:digits:requests": 3,
        "model:digits:answered": 2,
        "model:digits:errors": 1,
        "model:digits:rows": 4,
    }


def test_a_request_is_counted_on_its_own_day(log: UsageLog, store: mock.Mock, time: FakeClock) -> None:
    log.note("checkout", "management", 200)
    time.advance(86_400 - START % 86_400)
    log.note("checkout", "management", 200)
    log.flush()

    [batch] = written(store)
    assert sorted(batch.days) == [TODAY, "galley:usage:checkout:2027-01-16"]


def test_clients_are_counted_apart(log: UsageLog, store: mock.Mock) -> None:
    for client_id in ("checkout", "search"):
        log.note(client_id, "inference", 200)
    log.flush()

    [batch] = written(store)
    assert {key.split(":")[2] for key in batch.days} == {"checkout", "search"}


def test_days_end_with_today(log: UsageLog, store: mock.Mock) -> None:
    log.days("checkout", count=7)

    store.days.assert_called_once_with("checkout", until=START, count=7)


def test_nothing_is_written_when_nothing_waits(log: UsageLog, store: mock.Mock) -> None:
    assert log.flush()
    assert written(store) == []


def test_large_heaps_go_in_several_batches(log: UsageLog, store: mock.Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "MOST_PER_BATCH", 2)
    for number in range(5):
        log.note(f"client-{number}", "inference", 200)
    log.flush()

    assert [batch.size for batch in written(store)] == [2, 2, 1]


def test_while_redis_is_away_counts_add_up_in_bounded_memory(
    log: UsageLog, store: mock.Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "MOST_PENDING", 2)
    before = dropped()
    store.add.side_effect = RedisUnavailable("away")
    for number in range(6):
        log.note(f"client-{number % 3}", "inference", 200)
    store.add.side_effect = None

    assert log.flush()
    assert [batch.size for batch in written(store)] == [4]
    assert dropped() - before == 2


def test_the_last_counts_are_written_at_the_end(log: UsageLog, store: mock.Mock) -> None:
    log.start()
    log.note("checkout", "inference", 200)
    log.stop()

    assert sum(batch.size for batch in written(store)) == 1
