"""The one rule of who gets what is short."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import QueueFull, ShareExceeded, UnavailableError
from app.inference.fair_share import RESERVE, Claim

CAPACITY = 10


@pytest.mark.parametrize(
    ("held", "asked", "total", "clients", "expected"),
    [
        (9, 1, 9, 1, True),
        (0, 10, 0, 1, True),
        (10, 1, 10, 1, False),
        (0, 11, 0, 1, False),
        (0, 1, 10, 2, True),
        (0, 10, 10, 2, True),
        (0, 1, 20, 2, False),
        (4, 1, 14, 2, True),
        (5, 1, 14, 2, False),
        (2, 2, 10, 3, False),
    ],
)
def test_up_to_the_capacity_for_all_and_beyond_it_for_those_with_little(
    held: int, asked: int, total: int, clients: int, expected: bool
) -> None:
    assert Claim(held, asked, total, clients).fits(CAPACITY) is expected


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 12), st.booleans()), max_size=200))
def test_nobody_keeps_others_out_and_the_bound_holds(moves: list[tuple[int, int, bool]]) -> None:
    """Whoever holds nothing finds room for one call, as long as all together hold no more than the capacity."""
    held = dict.fromkeys(range(6), 0)
    for client, asked, is_leaving in moves:
        total = sum(held.values())
        if is_leaving:
            held[client] = 0
            continue
        clients = sum(map(bool, held.values())) + (held[client] == 0)
        if Claim(held[client], asked, total, clients).fits(CAPACITY):
            held[client] += asked
        elif held[client] == 0 and asked <= CAPACITY:
            assert total > CAPACITY
        assert sum(held.values()) <= RESERVE * CAPACITY


def test_clients_that_ask_all_the_time_come_to_their_share() -> None:
    """One filled the room before the others came, and asks first whenever a place is free."""
    held = [CAPACITY, 0, 0, 0]
    for turn in range(100):
        for client in range(4):
            while Claim(held[client], 1, sum(held), 4).fits(CAPACITY):
                held[client] += 1
            assert client == 0 or held[client] == CAPACITY // 4
        held[turn % 4] -= 1

    assert sum(held) <= CAPACITY


@pytest.mark.parametrize(("held", "clients", "expected"), [(0, 2, False), (5, 1, False), (3, 2, True)])
def test_own_excess_is_what_one_holds_while_others_do(held: int, clients: int, expected: bool) -> None:
    assert Claim(held, 1, 10, clients).is_own_excess is expected


@pytest.mark.parametrize(("claim", "error"), [(Claim(10, 3, 10, 1), QueueFull), (Claim(9, 3, 10, 2), ShareExceeded)])
def test_a_full_queue_says_when_there_is_room(claim: Claim, error: type[UnavailableError]) -> None:
    with pytest.raises(error) as caught:
        claim.check_queue(CAPACITY, 0.5)

    assert caught.value.retry_after_s == pytest.approx(3 * 0.5)
    Claim(claim.held - 3, claim.asked, claim.total - 3, claim.clients).check_queue(CAPACITY, 0.5)


@pytest.mark.parametrize(
    ("claim", "ahead", "computing", "late_s"),
    [(Claim(4, 1, 4, 1), 4, 2, 1.0), (Claim(0, 1, 9, 3), 2, 9, 3.5), (Claim(4, 1, 9, 3), 6, 9, 5.5)],
)
def test_anybody_would_be_late(claim: Claim, ahead: int, computing: int, late_s: float) -> None:
    with pytest.raises(QueueFull) as caught:
        claim.check_deadline(ahead, computing, row_cost_s=0.5, left_s=2.0)

    assert caught.value.retry_after_s == pytest.approx(late_s)


def test_late_by_its_own_rows() -> None:
    with pytest.raises(ShareExceeded):
        Claim(8, 1, 9, 2).check_deadline(9, 0, row_cost_s=0.5, left_s=2.0)
    Claim(0, 1, 9, 2).check_deadline(1, 0, row_cost_s=0.5, left_s=2.0)
