"""A socket that is to go: what is answered first, how long that may take, and whose the session is then."""

import time
from typing import Any

import gevent
import pytest

from app.services.stream_sessions import Hold
from app.web.sockets.leaving import LEAVING_S
from app.web.sockets.protocol import CloseCode
from tests.factories.conversations import Parlour, Talk
from tests.factories.lobbies import SHOP, Lobby, anything_goes
from tests.factories.streams import score


def later(seconds: float) -> float:
    return time.monotonic() + seconds


def test_an_old_socket_ends_once_all_is_answered(furnished: Any) -> None:
    parlour = Parlour(Lobby(furnished, {"stream_max_age_s": 60.0}))
    talk = parlour.talk()
    talk.greet()
    talk.pay(1)
    gevent.idle()
    talk.conversation.look_after(later(61))
    talk.pay(2)
    assert talk.hears_nothing()
    parlour.calls.conclude(score(0.5))

    assert (talk.hear()["seq"], talk.closed(), len(parlour.calls.asked)) == (1, CloseCode.GOING_AWAY, 1)


def test_one_that_leaves_with_nothing_to_answer_goes_at_once(talk: Talk, parlour: Parlour) -> None:
    ready, newcomer = talk.greet(), parlour.talk()
    for each in (talk, newcomer):
        each.conversation.leave()
        assert (each.closed(), each.is_over()) == (CloseCode.GOING_AWAY, True)

    assert parlour.talk().greet(resume=ready["resume"])["session"] == ready["session"]


@pytest.mark.parametrize(("drain_s", "wait_s"), [(30.0, LEAVING_S), (6.0, 2.0)])
@pytest.mark.parametrize("is_done", [False, True])
def test_one_that_leaves_does_not_wait_for_long(furnished: Any, drain_s: float, wait_s: float, is_done: bool) -> None:
    parlour = Parlour(Lobby(furnished, {"drain_s": drain_s}))
    talk = parlour.talk()
    ready = talk.greet()
    talk.pay(1)
    if is_done:
        talk.say("bye")
    gevent.idle()
    talk.conversation.leave()
    talk.conversation.look_after(later(wait_s - 0.5))
    assert talk.hears_nothing()
    talk.conversation.look_after(later(wait_s + 0.1))

    assert (talk.closed(), talk.is_over()) == (CloseCode.GOING_AWAY, True)
    assert parlour.talk().greet(resume=ready["resume"])["session"] == ready["session"]


def test_who_is_done_does_not_end_a_session_that_goes_on_elsewhere(talk: Talk, parlour: Parlour) -> None:
    ready, sessions = talk.greet(), parlour.lobby.sessions
    talk.pay(1)
    talk.say("bye")
    gevent.idle()
    taken = sessions.resume(ready["resume"], client_id=SHOP, stream="fraud", check=anything_goes)
    parlour.calls.conclude(score(0.5))

    assert (talk.hear()["seq"], talk.closed(), talk.is_over()) == (1, CloseCode.NORMAL, True)
    assert sessions.keep([taken]) == [Hold.HELD]
