"""How long a load will take, by what is known."""

import time

import pytest

from app.inference.directory import HeldBack
from app.inference.load_estimate import SHORTEST_S, USUAL_LOAD_S, LoadEstimate
from app.inference.messages import RunnerState
from model_store.model_ref import ModelRef
from tests.fakes.directory import FakeDirectory
from tests.fakes.inference import make_record

REF = ModelRef("digits", 1)


def test_nothing_known_is_the_usual_time() -> None:
    assert LoadEstimate(FakeDirectory()).remaining_s(REF) == USUAL_LOAD_S


def test_verifications_measurement_comes_before_the_usual_time() -> None:
    assert LoadEstimate(FakeDirectory(), lambda ref: {REF: 7.0}[ref]).remaining_s(REF) == 7.0


def test_earlier_load_counts_most_and_outlives_its_runner() -> None:
    directory = FakeDirectory(make_record(REF, load_s=42.0))
    directory.show()

    assert LoadEstimate(directory, lambda _: 7.0).remaining_s(REF) == 42.0


@pytest.mark.parametrize(("age_s", "remaining_s"), [(2.0, 5.0), (60.0, SHORTEST_S)])
def test_load_under_way_is_that_much_nearer(age_s: float, remaining_s: float) -> None:
    loading = make_record(REF, state=RunnerState.LOADING, started_at=time.time() - age_s)

    estimate_s = LoadEstimate(FakeDirectory(loading), lambda _: 7.0).remaining_s(REF)

    assert estimate_s == pytest.approx(remaining_s, abs=0.5)


def test_refusal_says_what_is_in_the_way() -> None:
    directory = FakeDirectory()
    assert "is being loaded" in LoadEstimate(directory).refusal(REF).detail

    directory.show(held_back=[HeldBack(name=REF.name, version=REF.version, reason="No memory.")])

    assert LoadEstimate(directory).refusal(REF).detail == "digits/1 is not loaded. No memory."
