"""Of all who ask the same at once one asks; whatever becomes of it, nobody waits for ever."""

import gevent

from app.inference.cache import Kept
from app.inference.single_flight import SingleFlight

ANSWER = Kept(b"answer", 1.0, 2.0)


def test_the_first_leads_and_the_others_follow() -> None:
    flights = SingleFlight()

    assert flights.board(b"a") is None
    assert flights.board(b"a") is flights.board(b"a") is not None
    assert flights.board(b"b") is None
    assert len(flights) == 2


def test_all_who_wait_get_what_the_leader_lands() -> None:
    flights = SingleFlight()
    flights.board(b"a")
    followed = [flights.board(b"a") for _ in range(5)]
    waiting = [gevent.spawn(flight.wait, 5.0) for flight in followed if flight is not None]
    gevent.sleep(0)
    flights.land(b"a", ANSWER)

    assert [greenlet.get() for greenlet in waiting] == [True] * 5
    assert all(flight is not None and flight.kept is ANSWER for flight in followed)


def test_a_flight_over_leaves_the_key_to_the_next() -> None:
    flights = SingleFlight()
    flights.board(b"a")
    flight = flights.board(b"a")
    flights.land(b"a", None)

    assert flight is not None
    assert flight.wait(0.0)
    assert flight.kept is None
    assert flights.board(b"a") is None
    assert len(flights) == 1


def test_who_waits_gives_up_in_time() -> None:
    flights = SingleFlight()
    flights.board(b"a")
    flight = flights.board(b"a")

    assert flight is not None
    assert not flight.wait(0.01)
    assert flight.kept is None
