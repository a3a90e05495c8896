"""Plans are dealt among clients, and only so many go on at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db.repositories.job_plans import OpenJob
from app.db.repositories.jobs import JobState
from app.services.plan_turns import SMALL_BYTES, PlanTurns, is_small

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def waiting(job_id: str, client_id: str, age_s: float = 0.0, **values: Any) -> OpenJob:
    """A job that no task is on its way for; `values` are other members of it."""
    members: dict[str, Any] = {
        "state": JobState.QUEUED,
        "chunk_count": None,
        "lease_until": NOW,
        "created_at": NOW - timedelta(seconds=age_s),
        "started_at": None,
        "input_format": "ndjson",
        "input_bytes": 10**9,
        **values,
    }
    return OpenJob(id=job_id, client_id=client_id, **members)


def planning(job_id: str, client_id: str, lease_s: float = 60.0, **values: Any) -> OpenJob:
    lease_until = NOW + timedelta(seconds=lease_s)
    return waiting(job_id, client_id, state=JobState.RUNNING, lease_until=lease_until, started_at=NOW, **values)


def planned(client_id: str, ago_s: float) -> OpenJob:
    started_at = NOW - timedelta(seconds=ago_s)
    values: dict[str, Any] = {
        "state": JobState.RUNNING,
        "chunk_count": 3,
        "lease_until": None,
        "started_at": started_at,
    }
    return waiting(f"planned {ago_s} s ago", client_id, **values)


def turns(*jobs: OpenJob, most: int = 2) -> PlanTurns:
    return PlanTurns(jobs, most=most, now=NOW)


@pytest.mark.parametrize(
    ("others", "may_begin"),
    [
        ([], True),
        ([planning("b", "billing")], True),
        ([planned("checkout", 5), planned("billing", 5), planned("fraud", 5)], True),
        ([planning("b", "checkout")], False),
        ([planning("b", "billing"), planning("c", "fraud")], False),
        ([planning("b", "checkout", lease_s=-1)], True),
    ],
)
def test_plan_begins_beside_few_of_others_and_none_of_its_client(others: list[OpenJob], may_begin: bool) -> None:
    assert turns(waiting("a", "checkout"), *others).may_begin("a") is may_begin


def test_task_that_comes_twice_is_not_in_its_own_way() -> None:
    assert turns(planning("a", "checkout"), most=1).may_begin("a")


def test_one_job_of_each_client_is_due_as_far_as_there_is_room() -> None:
    jobs = [waiting("a1", "a", 3), waiting("a2", "a", 4), waiting("b1", "b", 2), waiting("c1", "c", 1)]

    assert turns(*jobs, most=9).due() == ["a2", "b1", "c1"]
    assert turns(*jobs, most=2).due() == ["a2", "b1"]
    assert turns(*jobs, planning("a0", "a"), most=2).due() == ["b1"]
    assert turns(*jobs, planning("d", "d"), planning("e", "e"), planning("f", "f"), most=2).due() == []


def test_client_that_began_longest_ago_is_next() -> None:
    jobs = [waiting("a1", "a", 90), waiting("b1", "b", 1), waiting("c1", "c", 2), planned("a", 10), planned("b", 20)]

    assert turns(*jobs, most=9).due() == ["b1", "a1", "c1"]


def test_who_posts_one_job_after_the_other_is_not_always_new() -> None:
    patient = [waiting("b1", "b", 5), planned("b", 50)]

    assert turns(waiting("a1", "a", 1), *patient, most=1).due() == ["b1"]
    assert turns(waiting("a1", "a", 60), *patient, most=1).due() == ["a1"]


def test_job_whose_task_is_on_its_way_is_not_due() -> None:
    sent = waiting("a", "a", lease_until=NOW + timedelta(seconds=1))
    single = waiting("b", "b", chunk_count=1, lease_until=None)

    assert turns(sent, single).due() == []


def test_small_input_waits_for_no_large_one_but_its_clients_own() -> None:
    busy = [planning("b", "billing"), planning("c", "fraud")]
    small, own = (waiting(f"of {client}", client, input_bytes=10**6) for client in ("checkout", "billing"))

    assert turns(small, own, waiting("d", "shop"), *busy).due() == ["of checkout"]
    assert turns(small, *busy).may_begin("of checkout")
    assert not turns(own, *busy).may_begin("of billing")


def test_small_inputs_that_are_read_hold_no_large_one_up() -> None:
    small = [planning(name, name, input_bytes=1) for name in ("a", "b", "c")]

    assert turns(waiting("d", "shop"), *small).due() == ["d"]
    assert turns(waiting("d", "shop"), *small).may_begin("d")


@pytest.mark.parametrize("most", [1, 3])
def test_many_small_inputs_take_turns_too(most: int) -> None:
    small = [waiting(f"{number}", f"client {number}", input_bytes=1) for number in range(20)]
    due = turns(*small, most=most).due()
    assert len(due) == most

    busy = [planning(job_id, f"client {job_id}", input_bytes=1) for job_id in due]
    others = [job for job in small if job.id not in due]
    assert turns(*others, *busy, most=most).due() == []
    assert not any(turns(*others, *busy, most=most).may_begin(job.id) for job in others)


@pytest.mark.parametrize("most", [1, 3])
def test_one_small_input_at_a_time_is_read_beside_as_many_large_ones_as_may_be(most: int) -> None:
    large = [planning(f"large {number}", f"shop {number}") for number in range(most)]
    small = [waiting(f"{number}", f"client {number}", input_bytes=1) for number in range(20)]
    assert turns(*small, *large, most=most).due() == ["0"]

    first = planning("0", "client 0", input_bytes=1)
    assert turns(*small[1:], first, *large, most=most).due() == []
    assert not turns(*small[1:], first, *large, most=most).may_begin("1")


@pytest.mark.parametrize(
    ("input_format", "input_bytes", "expected"),
    [
        ("ndjson", SMALL_BYTES, True),
        ("csv", SMALL_BYTES, True),
        ("raw", SMALL_BYTES, True),
        ("ndjson", SMALL_BYTES + 1, False),
        ("parquet", 1, False),
        ("zip", 1, False),
        ("tar", 1, False),
    ],
)
def test_packed_input_is_never_small(input_format: str, input_bytes: int, expected: bool) -> None:
    assert is_small(waiting("a", "a", input_format=input_format, input_bytes=input_bytes)) is expected
