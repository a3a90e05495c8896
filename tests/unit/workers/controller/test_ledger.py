"""What the controller remembers of versions."""

from dataclasses import replace

import pytest

from app.inference.messages import RunnerState
from app.services.catalog import DesiredVersion
from model_store.model_ref import ModelRef
from tests.fakes.clock import START, FakeClock
from workers.controller.ledger import RUNNER_BYTES, Ledger
from workers.controller.situation import Prospect, RunnerView
from workers.controller.wishes import Wishes

VERSION = DesiredVersion(ref=ModelRef("digits", 1), digest="0" * 64)
READY = RunnerView(version=VERSION, address="a", state=RunnerState.READY, memory_bytes=70, private_bytes=20, idle_s=3.0)
PATIENCE_S = 30.0
UNKNOWN = Prospect(private_bytes=RUNNER_BYTES + 1000)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(clock: FakeClock) -> Ledger:
    return Ledger(patience_s=PATIENCE_S, now=clock.clock().now)


def prospect(ledger: Ledger, wanted_at: float | None = None) -> Prospect:
    wanted = {} if wanted_at is None else {VERSION.ref: wanted_at}
    wishes = Wishes(versions=(VERSION,), wanted_at=wanted, size_bytes={VERSION.ref: 1000})
    ledger.note_wishes(wishes)
    return ledger.prospect(VERSION, wishes, may_start=True)


def test_unknown_version_needs_what_its_files_weigh_and_a_runner(ledger: Ledger) -> None:
    assert prospect(ledger) == UNKNOWN


def test_measured_memory_is_remembered_after_its_runner_is_gone(ledger: Ledger, clock: FakeClock) -> None:
    ledger.note_runners([READY])
    clock.advance(10.0)

    known = prospect(ledger)

    assert (known.private_bytes, known.unused_s, known.is_new) == (20, 13.0, False)


@pytest.mark.parametrize("state", [RunnerState.LOADING, RunnerState.DRAINING, RunnerState.FAILED])
def test_only_ready_runners_teach(ledger: Ledger, state: RunnerState) -> None:
    ledger.note_runners([replace(READY, state=state)])

    assert prospect(ledger) == UNKNOWN


def test_wish_is_waited_for_until_a_runner_is_ready(ledger: Ledger, clock: FakeClock) -> None:
    clock.advance(2.0)
    assert prospect(ledger, START).waited_s == 2.0

    ledger.note_runners([READY])
    clock.advance(1.0)

    assert prospect(ledger, START).waited_s is None
    assert prospect(ledger, START + 2.5).waited_s == 0.5


def test_old_wish_is_nobodys(ledger: Ledger, clock: FakeClock) -> None:
    clock.advance(PATIENCE_S + 0.1)

    assert prospect(ledger, START).waited_s is None


def test_wait_counts_from_the_first_of_many_callers(ledger: Ledger, clock: FakeClock) -> None:
    for later_s in range(4):
        waited_s = prospect(ledger, START + later_s).waited_s
        clock.advance(1.0)

    assert waited_s == 3.0


def test_wait_begins_anew_once_nobody_waited(ledger: Ledger, clock: FakeClock) -> None:
    prospect(ledger, START)
    clock.advance(PATIENCE_S + 1.0)
    prospect(ledger, START)

    assert prospect(ledger, START + PATIENCE_S).waited_s == 1.0


def test_version_that_gave_way_is_remembered_until_it_is_ready(ledger: Ledger) -> None:
    assert not ledger.has_given_way(VERSION)
    ledger.note_evicted([VERSION])
    assert ledger.has_given_way(VERSION)

    ledger.note_runners([READY])

    assert not ledger.has_given_way(VERSION)
