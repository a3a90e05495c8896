"""The queue: interactive first, no lane, no client and no call starves."""

from app.inference.messages import InferRequest, Lane
from workers.runner.calls import Call
from workers.runner.row_queue import BATCH_SHARE, RowQueue


def make_call(rows: int, *, lane: Lane = Lane.INTERACTIVE, deadline: float = 100.0, call_id: int = 1) -> Call:
    """Return a call of so many rows."""
    request = InferRequest(call_id=call_id, deadline=deadline, lane=lane)
    return Call(b"caller", request, [b"%d" % row for row in range(rows)], parameters=None)


def filled(*calls: Call) -> RowQueue:
    """Return a queue that holds these calls."""
    queue = RowQueue(1000)
    for call in calls:
        queue.put(call, now=1.0)
    return queue


def test_rows_of_a_call_come_in_order() -> None:
    queue = filled(make_call(3))

    assert [row.data for row in queue.take(9)] == [b"0", b"1", b"2"]
    assert len(queue) == 0


def test_calls_take_turns() -> None:
    long, short = make_call(4, call_id=1), make_call(1, call_id=2)

    taken = filled(long, short).take(3)

    assert [row.call.call_id for row in taken] == [1, 2, 1]


def test_interactive_rows_go_first() -> None:
    queue = filled(make_call(2, lane=Lane.BATCH), make_call(2))

    assert [row.call.lane for row in queue.take(4)] == [Lane.INTERACTIVE] * 2 + [Lane.BATCH] * 2


def test_the_batch_lane_never_starves() -> None:
    queue = filled(make_call(500), make_call(10, lane=Lane.BATCH))

    lanes = [queue.take(1)[0].call.lane for _ in range(BATCH_SHARE * 10)]

    assert lanes.count(Lane.BATCH) == 10
    assert lanes[:BATCH_SHARE].count(Lane.BATCH) == 1


def test_expired_calls_leave_with_all_their_rows() -> None:
    late, other = make_call(3, deadline=5.0), make_call(2, deadline=50.0, call_id=2)
    queue = filled(late, other)
    queue.take(1)

    assert queue.remove_expired(10.0) == [late]
    assert {row.call for row in queue.take(9)} == {other}


def test_counts_what_is_ahead_of_each_lane() -> None:
    queue = filled(make_call(3), make_call(4, lane=Lane.BATCH))

    assert [queue.ahead(make_call(1, lane=lane)) for lane in Lane] == [3, 7]
    assert len(queue) == 7


def test_counts_clients_and_what_each_holds_by_lane() -> None:
    queue = filled(make_call(3), make_call(4, lane=Lane.BATCH))

    assert queue.client_count == 2
    assert [queue.held(make_call(1, lane=lane)) for lane in Lane] == [(3, 3), (4, 4)]
    assert queue.size_bytes == 7


def test_all_can_be_removed() -> None:
    calls = [make_call(2), make_call(1, lane=Lane.BATCH)]
    queue = filled(*calls)

    assert queue.remove_all() == calls
    assert len(queue) == 0
