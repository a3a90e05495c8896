"""Open sockets are looked after while there are any, and hear of the worker's end and of sessions that go elsewhere."""

from collections.abc import Iterator
from contextlib import ExitStack
from unittest import mock

import gevent
import pytest
from flask import Flask
from gevent.event import Event

from app.errors import Draining
from app.web.sockets import conversation as conversations
from app.web.sockets.open_sockets import OpenSockets, current_sockets, init_open_sockets, sockets_of
from app.web.sockets.protocol import CloseCode
from tests.factories.conversations import PATIENCE_S, Parlour, Talk
from tests.factories.lobbies import SHOP, Lobby, anything_goes
from tests.factories.streams import score
from tests.factories.waiting import wait_until
from tests.factories.web import WebWorker

STEP_S = 0.001
ONE_YEAR_S = 365 * 86_400.0


@pytest.fixture
def sockets(lobby: Lobby) -> OpenSockets:
    return OpenSockets(lobby.keeper, step_s=STEP_S)


@pytest.fixture
def followed(sockets: OpenSockets, parlour: Parlour) -> Iterator[list[Talk]]:
    """Three clients that said hello, and are looked after."""
    talks = [parlour.talk() for _ in range(3)]
    with ExitStack() as stack:
        for talk in talks:
            talk.greet()
            stack.enter_context(sockets.following(talk.conversation))
        yield talks


def test_caretakers_are_there_while_there_are_sockets(sockets: OpenSockets, parlour: Parlour) -> None:
    one, other = parlour.talk(), parlour.talk()
    with sockets.following(one.conversation):
        with sockets.following(other.conversation):
            caretakers = sockets._caretakers
            assert sockets.count == 2
        assert (sockets.count, sockets._caretakers) == (1, caretakers)
    gevent.joinall(caretakers, timeout=PATIENCE_S)

    assert (sockets.count, sockets._caretakers) == (0, [])
    assert [caretaker.dead for caretaker in caretakers] == [True, True]


def test_each_socket_is_looked_after(sockets: OpenSockets, furnished: WebWorker) -> None:
    """Nobody else would end a socket whose client says nothing."""
    parlour = Parlour(Lobby(furnished, {"stream_hello_s": 0.01}))
    talks = [parlour.talk(), parlour.talk()]
    with sockets.following(talks[0].conversation), sockets.following(talks[1].conversation):
        for talk in talks:
            assert (talk.hear()["code"], talk.closed()) == ("invalid_frame", CloseCode.POLICY)


def test_without_redis_sockets_are_still_looked_after(
    sockets: OpenSockets, followed: list[Talk], lobby: Lobby, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "KEEP_EVERY_S", 0.0)
    lobby.places.is_away = True
    wait_until(lambda: lobby.places.asked_in_vain > len(followed), sleep=gevent.sleep)
    lobby.places.is_away = False
    wait_until(lambda: set(lobby.places.kept) == set(lobby.places.taken), sleep=gevent.sleep)

    assert len(lobby.places.taken) == len(followed)


def test_one_that_cannot_be_looked_after_ends_alone(
    sockets: OpenSockets, followed: list[Talk], caplog: pytest.LogCaptureFixture
) -> None:
    broken, *others = followed
    with mock.patch.object(broken.conversation, "look_after", side_effect=ZeroDivisionError("by what?")):
        assert broken.closed() == CloseCode.INTERNAL
    for talk in others:
        talk.conversation._opened_at -= ONE_YEAR_S

    assert [talk.closed() for talk in others] == [CloseCode.GOING_AWAY] * 2
    assert "by what?" in caplog.text


def test_what_fails_once_is_kept_the_next_time(
    sockets: OpenSockets, followed: list[Talk], lobby: Lobby, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "KEEP_EVERY_S", 0.0)
    with mock.patch.object(lobby.sessions, "keep", side_effect=ZeroDivisionError("by what?")) as keep:
        wait_until(lambda: keep.called, sleep=gevent.sleep)
    lobby.places.kept.clear()
    wait_until(lambda: set(lobby.places.kept) == set(lobby.places.taken), sleep=gevent.sleep)


def test_a_slow_redis_keeps_nobody_from_being_looked_after(
    sockets: OpenSockets, followed: list[Talk], lobby: Lobby, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "KEEP_EVERY_S", 0.0)
    answer = Event()
    with mock.patch.object(lobby.sessions, "keep", side_effect=lambda _sessions: answer.wait()) as keep:
        wait_until(lambda: keep.called, sleep=gevent.sleep)
        for talk in followed:
            talk.conversation._opened_at -= ONE_YEAR_S
        assert [talk.closed() for talk in followed] == [CloseCode.GOING_AWAY] * 3
    assert not answer.is_set()


def test_the_end_of_the_worker_is_not_put_off_by_a_call_that_hangs(furnished: WebWorker) -> None:
    """One that looked no more often than usual would be too late."""
    parlour = Parlour(Lobby(furnished, {"drain_s": 0.03}))
    sockets, talk = OpenSockets(parlour.lobby.keeper, step_s=ONE_YEAR_S), parlour.talk()
    talk.greet()
    talk.pay(1)
    gevent.idle()
    with sockets.following(talk.conversation):
        gevent.idle()
        sockets.drain()
        assert talk.closed() == CloseCode.GOING_AWAY


def test_the_end_of_the_worker_is_told_to_all(sockets: OpenSockets, followed: list[Talk], parlour: Parlour) -> None:
    sockets.check_open()
    busy, *idle = followed
    busy.pay(1)
    gevent.idle()
    sockets.drain()

    assert [talk.closed() for talk in idle] == [CloseCode.GOING_AWAY] * 2
    assert busy.hears_nothing()
    parlour.calls.conclude(score(0.5))
    assert (busy.hear()["seq"], busy.closed()) == (1, CloseCode.GOING_AWAY)


def test_nobody_comes_after_the_end(sockets: OpenSockets, talk: Talk) -> None:
    sockets.drain()
    with pytest.raises(Draining):
        sockets.check_open()
    # Its handshake was under way.
    with sockets.following(talk.conversation):
        assert talk.closed() == CloseCode.GOING_AWAY


def test_a_session_that_goes_on_elsewhere_is_lost_by_its_socket_alone(
    sockets: OpenSockets, followed: list[Talk], parlour: Parlour
) -> None:
    parlour.lobby.sessions.on_taken(sockets.hear_taken)
    newcomer, (one, *others) = parlour.talk(), followed
    guest = one.conversation.guest
    assert guest is not None
    with sockets.following(newcomer.conversation):
        sockets.hear_taken("nobody's", 9)
        sockets.hear_taken(guest.session.id, guest.session.epoch)
        assert one.hears_nothing()
        parlour.lobby.sessions.resume(guest.session.resume_token, client_id=SHOP, stream="fraud", check=anything_goes)

        assert (one.hear()["code"], one.closed()) == ("session_taken", CloseCode.POLICY)
        assert all(talk.hears_nothing() for talk in (newcomer, *others))


def test_an_app_has_its_own(lobby: Lobby) -> None:
    app = Flask(__name__)
    sockets = init_open_sockets(app, lobby.keeper)

    assert sockets_of(app) is sockets
    with app.app_context():
        assert current_sockets() is sockets
