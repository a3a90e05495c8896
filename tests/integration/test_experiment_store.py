"""Batches of assignments in a real Redis: counted once, bounded, forgotten in time."""

from collections.abc import Iterator

import pytest
import redis

from app.errors import RedisUnavailable
from app.services import assignment_batches
from app.services.assignment_batches import Assignment, Batch, Ending, Keeping, make_batch
from app.services.experiment_keys import PREFIX
from app.services.experiment_store import Assigned, ExperimentStore, VariantCounts
from app.services.latency_histogram import bucket_of_latency
from tests.factories.assignments import KEEPING, make_assignment
from tests.factories.redis_server import RedisServer

SHARES = {"control": 0.9, "candidate": 0.1}


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


@pytest.fixture
def store(client: redis.Redis) -> ExperimentStore:
    return ExperimentStore(client)


def fold(*assignments: Assignment, keeping: Keeping = KEEPING, shares: object = SHARES) -> Batch:
    return make_batch(assignments, keeping, shares_of=lambda _name, _revision: shares)  # type: ignore[arg-type,return-value]


def test_what_was_added_is_counted(store: ExperimentStore) -> None:
    store.add(fold(make_assignment(1), make_assignment(2, ending=Ending.ERROR)))
    store.add(fold(make_assignment(2), make_assignment(3, variant="candidate", ending=Ending.CALLER_ERROR)))

    counts = store.counts("digits", 3)

    assert counts.shares == SHARES
    assert counts.variants == {
        "control": VariantCounts(requests=3, errors=1, subjects=2, latencies={bucket_of_latency(0.01): 2}),
        "candidate": VariantCounts(requests=1, caller_errors=1, subjects=1),
    }
    assert store.counts("digits", 4).variants == {}


def test_a_batch_that_is_sent_again_counts_once(store: ExperimentStore) -> None:
    batch = fold(make_assignment(1), make_assignment(2))
    for _ in range(3):
        store.add(batch)

    assert store.counts("digits", 3).variants["control"].requests == 2


def test_shares_stay_when_a_later_batch_does_not_know_them(store: ExperimentStore) -> None:
    store.add(fold(make_assignment(1)))
    store.add(fold(make_assignment(2), shares=None))

    assert store.counts("digits", 3).shares == SHARES


def test_units_find_their_variant(store: ExperimentStore) -> None:
    store.add(fold(make_assignment(1), make_assignment(2, variant="candidate"), make_assignment(3, subject="")))
    store.add(fold(make_assignment(2, revision=4, variant="control", request_id="later")))
    units = ["request:request-1", "subject:user-1", "request:request-2", "subject:user-2", "subject:user-3"]

    assert store.find("digits", units) == {
        "request:request-1": Assigned(3, "control"),
        "subject:user-1": Assigned(3, "control"),
        "request:request-2": Assigned(3, "candidate"),
        "subject:user-2": Assigned(4, "control"),
    }
    assert store.find("fraud", units) == {}
    assert store.find("digits", []) == {}


def test_the_newest_assignments_are_kept_and_the_oldest_make_way(store: ExperimentStore) -> None:
    few = Keeping(counts_s=1000, assignments_s=500, assignments=200)
    units = [f"request:request-{number}" for number in range(1000)]
    for number in range(1000):
        store.add(fold(make_assignment(number, subject=""), keeping=few))

    found = store.find("digits", units)

    # The segment that is being filled may be all but empty.
    assert 190 <= len(found) <= 200
    assert list(found)[-1] == units[-1]
    assert set(found) == set(units[-len(found) :])


def test_subjects_are_told_apart_up_to_a_bound(store: ExperimentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignment_batches, "MOST_SUBJECTS", 5)
    for number in range(10):
        store.add(fold(make_assignment(number, variant=("control", "candidate")[number % 2])))

    variants = store.counts("digits", 3).variants

    assert {name: counts.subjects for name, counts in variants.items()} == {"control": 3, "candidate": 2}
    assert sum(counts.requests for counts in variants.values()) == 10


def test_every_key_expires(store: ExperimentStore, client: redis.Redis) -> None:
    store.add(fold(make_assignment(1)))

    lives = {key.decode(): client.ttl(key) for key in client.scan_iter("*")}

    assert len(lives) == 6
    assert all(name.startswith(PREFIX) and 0 < seconds <= KEEPING.counts_s for name, seconds in lives.items()), lives


@pytest.mark.long
def test_a_redis_that_is_away_is_said_to_be(redis_server: RedisServer) -> None:
    with redis.Redis(unix_socket_path=f"{redis_server.socket}-of-nobody") as nobody:
        store = ExperimentStore(nobody)
        for call in (lambda: store.counts("digits", 3), lambda: store.find("digits", ["a"]), lambda: store.add(fold())):
            with pytest.raises(RedisUnavailable):
                call()
