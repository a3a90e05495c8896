"""What a worker knows of a runner's queue, and whom it therefore does not send there."""

import pytest

from app.errors import QueueFull, ShareExceeded
from app.inference.directory import RunnerRecord
from app.inference.messages import Lane, RunnerLoad
from app.inference.outlook import FRESH_S, Outlook
from model_store.model_ref import ModelRef
from tests.fakes.inference import make_record

RECORD = make_record(ModelRef("digits", 1), capacity_rows=10, queued_rows=3, rows_per_s=4.0)
FLOOD, POLITE = ("flood", Lane.INTERACTIVE), ("polite", Lane.INTERACTIVE)
NOW = 1000.0


def told(outlook: Outlook, *, queued: int = 0, computing: int = 0, clients: int = 1) -> Outlook:
    outlook.told(RunnerLoad(queued_rows=queued, computing_rows=computing, clients=clients, row_cost_s=0.5), NOW)
    return outlook


def sent(*holders: tuple[tuple[str, Lane], int]) -> Outlook:
    outlook = Outlook()
    for holder, rows in holders:
        outlook.sent(holder, rows)
    return outlook


def check(outlook: Outlook, holder: tuple[str, Lane], rows: int = 1, **changes: float) -> None:
    moments = {"deadline": NOW + 60.0, "now": NOW, **changes}
    outlook.check(RECORD, holder, rows, **moments)


def test_rows_of_others_are_what_the_runner_holds_beyond_ones_own() -> None:
    outlook = told(sent((FLOOD, 4)), queued=5, computing=2)
    assert outlook.waiting_rows(RECORD, NOW) == 7

    outlook.sent(POLITE, 2)
    outlook.ended(FLOOD, 3)

    assert outlook.waiting_rows(RECORD, NOW) == 3 + 1 + 2
    assert outlook.rows_in_flight == 3


def test_a_call_without_rows_may_end_last() -> None:
    outlook = sent((FLOOD, 2), (FLOOD, 0))
    outlook.ended(FLOOD, 2)
    outlook.ended(FLOOD, 0)

    assert outlook.rows_in_flight == 0


@pytest.mark.parametrize(("own", "expected"), [(1, 3), (5, 5)])
def test_an_old_word_gives_way_to_the_directory(own: int, expected: int) -> None:
    outlook = told(sent((FLOOD, own)), queued=100)

    assert outlook.waiting_rows(RECORD, NOW + FRESH_S) == expected


def test_what_a_full_queue_would_refuse_is_not_sent() -> None:
    outlook = told(sent((FLOOD, 10)), queued=10)

    with pytest.raises(QueueFull) as caught:
        check(outlook, FLOOD, 3)
    assert caught.value.retry_after_s == pytest.approx(3 * 0.5)
    check(outlook, POLITE, 3)


def test_over_ones_share_while_others_are_served() -> None:
    outlook = told(sent((FLOOD, 9), (POLITE, 2)), queued=11, clients=2)

    with pytest.raises(ShareExceeded):
        check(outlook, FLOOD)
    check(outlook, POLITE)


def test_rows_being_computed_take_no_room_in_the_queue() -> None:
    check(told(sent((FLOOD, 14)), queued=9, computing=5), FLOOD)


def test_a_deadline_out_of_reach_is_refused_with_the_time_it_lacks() -> None:
    outlook = told(sent((FLOOD, 8)), queued=6, computing=2)

    with pytest.raises(QueueFull) as caught:
        check(outlook, FLOOD, deadline=NOW + 1.0)
    assert caught.value.retry_after_s == pytest.approx(8 * 0.5 - 1.0)


def test_a_flood_of_others_makes_nobody_late() -> None:
    outlook = told(sent((FLOOD, 10)), queued=10)

    check(outlook, POLITE, deadline=NOW + 1.0)
    check(outlook, ("flood", Lane.BATCH), deadline=NOW + 1.0)


def test_without_a_word_the_directory_says_how_fast_rows_go() -> None:
    outlook = sent((FLOOD, 8))

    with pytest.raises(QueueFull) as caught:
        check(outlook, FLOOD, deadline=NOW + 1.0)
    assert caught.value.retry_after_s == pytest.approx(8 / RECORD.rows_per_s - 1.0)


@pytest.mark.parametrize("changes", [{"capacity_rows": 0}, {"rows_per_s": 0.0}])
def test_what_nobody_knows_speaks_against_no_call(changes: dict[str, float]) -> None:
    record: RunnerRecord = make_record(ModelRef("digits", 1), **{"capacity_rows": 1000, "rows_per_s": 1.0, **changes})

    sent((FLOOD, 500)).check(record, FLOOD, 100, deadline=NOW + 1.0, now=NOW)
