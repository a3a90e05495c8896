"""Who a runner takes in, whom it refuses, and when it says to come again."""

import pytest

from app.errors import DeadlineExceeded, QueueFull, ShareExceeded, UnavailableError
from app.inference.messages import InferRequest, Lane
from workers.runner import door
from workers.runner.calls import Call
from workers.runner.door import InHand, check_room
from workers.runner.row_queue import RowQueue

IDLE = InHand(rows=0, size_bytes=0, row_cost_s=0.5)
NOW = 1000.0


def make_call(client_id: str, rows: int, *, left_s: float = 3600.0, lane: Lane = Lane.INTERACTIVE) -> Call:
    request = InferRequest(call_id=1, deadline=NOW + left_s, client_id=client_id, lane=lane)
    return Call(b"caller", request, [b"data"] * rows, parameters=None)


def filled(**rows: int) -> RowQueue:
    """Return a queue for ten rows in which these clients wait with so many."""
    queue = RowQueue(10)
    for client_id, number in rows.items():
        queue.put(make_call(client_id, number), NOW)
    return queue


def refusal(queue: RowQueue, call: Call, in_hand: InHand = IDLE) -> UnavailableError:
    with pytest.raises((QueueFull, ShareExceeded)) as caught:
        check_room(call, queue, in_hand, NOW)
    return caught.value


def test_a_queue_full_of_one_client_has_room_for_another() -> None:
    queue = filled(flood=10)

    check_room(make_call("polite", 5), queue, IDLE, NOW)
    assert refusal(queue, make_call("flood", 1)).code == "queue_full"


def test_who_has_its_share_is_told_so_while_others_wait() -> None:
    queue = filled(flood=10, polite=2)

    assert refusal(queue, make_call("flood", 1)).code == "share_exceeded"
    assert refusal(queue, make_call("polite", 4)).code == "share_exceeded"
    check_room(make_call("polite", 3), queue, IDLE, NOW)


def test_the_reserve_is_bounded() -> None:
    queue = filled(flood=10, a=10)

    assert refusal(queue, make_call("b", 1)).code == "queue_full"


def test_a_clients_jobs_do_not_keep_its_callers_out() -> None:
    queue = RowQueue(10)
    queue.put(make_call("both", 10, lane=Lane.BATCH), NOW)

    check_room(make_call("both", 3), queue, IDLE, NOW)


@pytest.mark.parametrize(("asked", "retry_after_s"), [(1, 0.5), (3, 1.5)])
def test_a_full_queue_says_when_there_is_room(asked: int, retry_after_s: float) -> None:
    queue = filled(flood=10)
    refused = refusal(queue, make_call("flood", asked))

    assert refused.retry_after_s == pytest.approx(retry_after_s)
    queue.take(round(refused.retry_after_s / IDLE.row_cost_s))
    check_room(make_call("flood", asked), queue, IDLE, NOW + refused.retry_after_s)


def test_waiting_bytes_are_shared_like_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MAX_HELD_BYTES", 20)
    queue = filled(flood=5)

    assert "bytes" in refusal(queue, make_call("flood", 1)).detail
    check_room(make_call("polite", 2), queue, IDLE, NOW)
    assert "bytes" in refusal(queue, make_call("polite", 2), InHand(2, 20, 0.5)).detail


def test_a_flood_does_not_make_others_late() -> None:
    queue = filled(flood=10)

    check_room(make_call("polite", 1, left_s=1.0), queue, IDLE, NOW)
    assert refusal(queue, make_call("polite", 1, left_s=0.4)).code == "queue_full"


def test_jobs_do_not_make_callers_late() -> None:
    queue = RowQueue(10)
    queue.put(make_call("any", 5, lane=Lane.BATCH), NOW)

    check_room(make_call("any", 1, left_s=1.0), queue, IDLE, NOW)
    assert refusal(queue, make_call("any", 1, left_s=1.0, lane=Lane.BATCH)).code == "queue_full"


def test_a_deadline_is_out_of_reach_by_what_waits_ahead() -> None:
    queue = filled(flood=4)
    refused = refusal(queue, make_call("flood", 1, left_s=2.0), InHand(2, 0, 0.5))

    assert refused.code == "queue_full"
    assert refused.retry_after_s == pytest.approx((4 + 2) * 0.5 - 2.0)


def test_who_is_late_by_its_own_doing_is_told_so() -> None:
    queue = filled(flood=8, polite=1)

    assert refusal(queue, make_call("flood", 1, left_s=2.0)).code == "share_exceeded"
    # Here anybody would be late.
    assert refusal(queue, make_call("flood", 1, left_s=2.0), InHand(9, 0, 0.5)).code == "queue_full"


def test_nobody_waits_for_what_is_over() -> None:
    with pytest.raises(DeadlineExceeded):
        check_room(make_call("any", 1, left_s=0.0), filled(), IDLE, NOW)
