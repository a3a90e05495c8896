"""Turns between clients: nobody starves, whatever the others have waiting, in whatever order it came."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.messages import InferRequest
from workers.runner.calls import Call
from workers.runner.fair_rows import BYTES_PER_TURN, FairRows

call_ids = count(1)
LARGE = bytes(9 * BYTES_PER_TURN)


def make_call(client_id: str, rows: int, *, data: bytes = b"row", deadline: float = 100.0) -> Call:
    """Return a client's call of so many rows."""
    request = InferRequest(call_id=next(call_ids), deadline=deadline, client_id=client_id)
    return Call(b"caller", request, [data] * rows, parameters=None)


def filled(*calls: Call) -> FairRows:
    """Return a lane that holds these calls."""
    lane = FairRows()
    for call in calls:
        lane.add(call)
    return lane


def taken(lane: FairRows, limit: int = 10_000) -> str:
    """Take rows; return the clients they were of."""
    return "".join(lane.take().call.client_id for _ in range(min(limit, len(lane))))


def test_clients_take_turns_however_many_calls_they_have() -> None:
    lane = filled(*(make_call("f", 1) for _ in range(5)), make_call("p", 2))

    assert taken(lane) == "fpfpfff"


def test_a_newcomer_is_served_after_one_row_of_each_other() -> None:
    lane = filled(make_call("a", 9), make_call("b", 9))
    assert taken(lane, 3) == "aba"

    lane.add(make_call("n", 1))

    assert taken(lane, 3) == "ban"


def test_large_rows_cost_as_many_turns_as_they_are_large() -> None:
    lane = filled(make_call("l", 3, data=LARGE), make_call("s", 40))

    order = taken(lane)

    assert [len(part) for part in order.split("l")] == [9, 10, 10, 11]


def test_who_is_alone_waits_for_nobody() -> None:
    lane = filled(make_call("l", 1, data=LARGE))

    assert taken(lane) == "l"


def test_what_a_new_row_waits_for_is_bounded_by_what_its_client_has() -> None:
    lane = filled(make_call("f", 500), make_call("g", 3))

    assert [lane.ahead(name) for name in "fgn"] == [500 + 3, 3 + 4, 2]
    assert lane.held("g") == (3, 9)
    assert lane.held("n") == (0, 0)


def test_expired_calls_leave_nothing_behind() -> None:
    late, other = make_call("a", 3, deadline=5.0), make_call("b", 2)
    lane = filled(late, other)
    lane.take()

    assert lane.remove_expired(4.0) == []
    assert lane.remove_expired(5.0) == [late]
    assert (len(lane), lane.client_count, lane.size_bytes) == (2, 1, 6)
    assert taken(lane) == "bb"


def test_later_deadlines_are_still_noticed_after_the_first() -> None:
    calls = [make_call("a", 1, deadline=moment) for moment in (3.0, 1.0, 2.0)]
    lane = filled(*calls)

    assert [lane.remove_expired(now) for now in (1.0, 2.0, 3.0)] == [[calls[1]], [calls[2]], [calls[0]]]
    assert lane.client_count == 0


@given(
    others=st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 30), st.integers(0, 20)), max_size=40),
    rows=st.integers(1, 5),
    before=st.integers(0, 50),
)
def test_a_client_with_few_rows_is_served_within_bounded_turns(
    others: list[tuple[str, int, int]], rows: int, before: int
) -> None:
    """However calls of others arrived, and whatever was taken before: k rows are served after k turns of each other."""
    lane = FairRows()
    for name, number, large in others:
        lane.add(make_call(name, number, data=bytes(large * BYTES_PER_TURN)))
    taken(lane, before)
    rivals = lane.client_count
    lane.add(make_call("p", rows))

    order = taken(lane)

    assert order.rindex("p") < rows * (rivals + 1)


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(1, 9), st.integers(0, 5), st.floats(0, 9), st.booleans()),
        max_size=60,
    )
)
def test_every_row_comes_out_once_or_expires(moves: list[tuple[str, int, int, float, bool]]) -> None:
    lane, waiting = FairRows(), 0
    for name, number, large, now, is_taking in moves:
        if is_taking and len(lane):
            lane.take()
            waiting -= 1
            continue
        lane.add(make_call(name, number, data=bytes(large * BYTES_PER_TURN), deadline=now + 5))
        waiting += number
        before = len(lane)
        lane.remove_expired(now)
        waiting -= before - len(lane)
        assert len(lane) == waiting == sum(lane.held(name)[0] for name in "abc")
        assert lane.size_bytes == sum(lane.held(name)[1] for name in "abc")

    assert len(taken(lane)) == waiting
    assert (lane.client_count, lane.size_bytes) == (0, 0)


@pytest.mark.parametrize("clients", [2, 5])
def test_clients_that_always_wait_get_the_same(clients: int) -> None:
    lane = filled(*(make_call(name, 100) for name in "abcde"[:clients]), make_call("a", 400))

    order = taken(lane, 20 * clients)

    assert {order.count(name) for name in set(order)} == {20}
