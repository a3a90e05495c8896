"""What a batch says to Redis; tests/integration/test_experiment_store.py has Redis understand it."""

from typing import Any

import msgspec
import pytest

from app.services.assignment_batches import (
    Assignment,
    Batch,
    Ending,
    Keeping,
    make_batch,
    request_unit,
    subject_unit,
    unit_digest,
)
from app.services.latency_histogram import bucket_of_latency
from tests.factories.assignments import KEEPING, make_assignment

SHARES = {"control": 0.9, "candidate": 0.1}


def fold(*assignments: Assignment, shares: Any = SHARES) -> Batch:
    return make_batch(assignments, KEEPING, shares_of=lambda _name, _revision: shares)


def members(batch: Batch) -> dict[str, Any]:
    payload: dict[str, Any] = msgspec.msgpack.decode(batch.payload)
    return payload


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        (200, Ending.ANSWERED),
        (202, Ending.ANSWERED),
        (304, Ending.ANSWERED),
        (400, Ending.CALLER_ERROR),
        (429, Ending.CALLER_ERROR),
        (500, Ending.ERROR),
        (504, Ending.ERROR),
    ],
)
def test_who_erred(status: int, ending: Ending) -> None:
    assert Ending.of_status(status) is ending


def test_a_batch_counts_by_variant() -> None:
    batch = fold(
        make_assignment(1),
        make_assignment(2, ending=Ending.ERROR),
        make_assignment(3, ending=Ending.CALLER_ERROR),
        make_assignment(4, variant="candidate", seconds=0.5),
    )
    experiment = members(batch)["experiments"][0]

    assert batch.size == 4
    assert experiment["counts"] == {
        "control:requests": 3,
        "control:errors": 1,
        "control:caller_errors": 1,
        f"control:b{bucket_of_latency(0.01)}": 1,
        "candidate:requests": 1,
        f"candidate:b{bucket_of_latency(0.5)}": 1,
    }
    assert msgspec.json.decode(experiment["shares"]) == SHARES


def test_a_subject_is_told_once() -> None:
    experiment = members(fold(make_assignment(1), make_assignment(1, request_id="again")))["experiments"][0]

    assert experiment["subjects"] == ["control:subjects"]


def test_overridden_and_nameless_callers_are_no_sample() -> None:
    batch = fold(make_assignment(1, is_dealt=False), make_assignment(2, subject=""))

    assert members(batch)["experiments"][0]["subjects"] == []


def test_digests_stand_in_the_order_of_what_they_belong_to() -> None:
    batch = fold(make_assignment(1, subject="ann", request_id="r1"), make_assignment(2, subject="", request_id="r2"))

    assert members(batch)["models"][0]["assignments"] == ["3:control"] * 3
    assert batch.digests == b"".join(
        unit_digest(text) for text in ("control\0ann", request_unit("r1"), subject_unit("ann"), request_unit("r2"))
    )


def test_the_last_variant_of_a_unit_counts() -> None:
    models = members(fold(make_assignment(1), make_assignment(1, revision=4, variant="candidate")))["models"]

    assert models[0]["assignments"] == ["4:candidate"] * 2


def test_models_and_revisions_are_apart() -> None:
    payload = members(fold(make_assignment(1), make_assignment(1, revision=4), make_assignment(1, model_name="fraud")))

    assert [one["counts_key"].rpartition("experiment:")[2] for one in payload["experiments"]] == [
        "digits:3:counts",
        "digits:4:counts",
        "fraud:3:counts",
    ]
    assert len(payload["models"]) == 2


def test_shares_that_are_not_known_are_left_out() -> None:
    assert "shares" not in members(fold(make_assignment(), shares=None))["experiments"][0]


def test_no_batch_has_the_id_of_another() -> None:
    assert fold(make_assignment()).batch_id != fold(make_assignment()).batch_id


def test_even_few_assignments_fill_segments() -> None:
    assert Keeping(counts_s=1, assignments_s=1, assignments=3).segment_size == 1
