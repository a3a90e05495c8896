"""What sockets hold in Redis is kept many at a time, and each hears whether it still has it."""

import time

import pytest

from app.errors import RedisUnavailable
from app.web.sockets import keeper as module
from app.web.sockets.conversation import KEEP_EVERY_S
from app.web.sockets.protocol import CloseCode
from tests.factories.conversations import Parlour, Talk
from tests.factories.lobbies import SHOP, Lobby, anything_goes


def later(seconds: float) -> float:
    return time.monotonic() + seconds


@pytest.fixture
def talks(parlour: Parlour) -> list[Talk]:
    """Three clients that said hello, and one that did not."""
    talks = [parlour.talk() for _ in range(4)]
    for talk in talks[:-1]:
        talk.greet()
    return talks


def keep(lobby: Lobby, talks: list[Talk], seconds: float) -> None:
    lobby.keeper.keep([talk.conversation for talk in talks], later(seconds))


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_what_is_due_is_kept(lobby: Lobby, talks: list[Talk], monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    for seconds in (1, KEEP_EVERY_S + 1, KEEP_EVERY_S + 2, 2 * KEEP_EVERY_S + 3):
        keep(lobby, talks, seconds)

    assert lobby.places.kept == list(lobby.places.taken) * 2
    assert all(talk.hears_nothing() for talk in talks)


def test_what_redis_did_not_hear_stays_due(lobby: Lobby, talks: list[Talk]) -> None:
    lobby.places.is_away = True
    with pytest.raises(RedisUnavailable):
        keep(lobby, talks, KEEP_EVERY_S + 1)
    assert lobby.places.asked_in_vain == 1
    lobby.places.is_away = False
    keep(lobby, talks, KEEP_EVERY_S + 1)

    assert lobby.places.kept == list(lobby.places.taken)


def test_each_hears_what_became_of_its_session(lobby: Lobby, talks: list[Talk]) -> None:
    sessions = [talk.conversation.guest.session for talk in talks if talk.conversation.guest]
    lobby.sessions.resume(sessions[0].resume_token, client_id=SHOP, stream="fraud", check=anything_goes)
    lobby.sessions.end(sessions[1])
    keep(lobby, talks, KEEP_EVERY_S + 1)
    taken, forgotten, *others = talks

    assert (taken.hear()["code"], taken.closed(), forgotten.closed()) == (
        "session_taken",
        CloseCode.POLICY,
        CloseCode.GOING_AWAY,
    )
    assert all(talk.hears_nothing() for talk in others)
