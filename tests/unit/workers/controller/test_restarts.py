"""How long a version waits after its runner ended by itself."""

import pytest

from app.services.catalog import DesiredVersion
from model_store.model_ref import ModelRef
from tests.fakes.clock import FakeClock
from workers.controller.restarts import LONGEST_DELAY_S, STABLE_S, Restarts

VERSION = DesiredVersion(ref=ModelRef("digits", 1), digest="0" * 64)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def restarts(clock: FakeClock) -> Restarts:
    return Restarts(clock=clock.clock().monotonic, spread=lambda: 1.0)


def waits(restarts: Restarts, clock: FakeClock, count: int, *, served_s: float) -> list[float]:
    """Return how long each of `count` ends in a row makes the version wait."""
    return [restarts.note_end(VERSION, "why", served_s=served_s).retry_at - clock.elapsed_s for _ in range(count)]


def test_version_that_never_failed_may_start(restarts: Restarts) -> None:
    assert restarts.may_start(VERSION)


def test_first_end_of_a_runner_that_served_costs_no_wait(restarts: Restarts, clock: FakeClock) -> None:
    assert waits(restarts, clock, 4, served_s=1.0) == [0.0, 1.0, 2.0, 4.0]


def test_failed_load_waits_at_once(restarts: Restarts, clock: FakeClock) -> None:
    assert waits(restarts, clock, 3, served_s=0.0) == [1.0, 2.0, 4.0]


def test_wait_has_a_limit(restarts: Restarts, clock: FakeClock) -> None:
    assert waits(restarts, clock, 30, served_s=0.0)[-1] == LONGEST_DELAY_S


def test_chance_shortens_a_wait_by_half_at_most(clock: FakeClock) -> None:
    shortest = Restarts(clock=clock.clock().monotonic, spread=lambda: 0.0)

    assert waits(shortest, clock, 2, served_s=0.0) == [0.5, 1.0]


def test_version_may_start_when_its_wait_is_over(restarts: Restarts, clock: FakeClock) -> None:
    restarts.note_end(VERSION, "why", served_s=0.0)
    assert not restarts.may_start(VERSION)

    clock.advance(1.0)

    assert restarts.may_start(VERSION)


def test_long_service_begins_a_new_count(restarts: Restarts, clock: FakeClock) -> None:
    waits(restarts, clock, 5, served_s=1.0)

    assert waits(restarts, clock, 1, served_s=STABLE_S) == [0.0]


def test_version_that_is_no_longer_desired_is_forgotten(restarts: Restarts) -> None:
    restarts.note_end(VERSION, "why", served_s=0.0)

    restarts.keep(set())

    assert restarts.may_start(VERSION)
    assert restarts.reason(VERSION) == ""
