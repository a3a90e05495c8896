"""From hello to the end: who is let in, what keeps a socket open, and why each one is closed."""

import time
from typing import Any
from unittest import mock

import gevent
import pytest
from wsproto.events import BytesMessage, Event, Message

from app.services.stream_sessions import Hold, StreamSession
from app.web.sockets.connection import CLOSING_S
from app.web.sockets.conversation import MOST_UNREADABLE
from app.web.sockets.protocol import CloseCode
from app.web.sockets.reception import Binding, Guest, Reception
from app.web.sockets.streams import TEXT
from tests.factories.conversations import Parlour, Talk
from tests.factories.lobbies import BANK, SHOP, Lobby, make_identity, write_token
from tests.factories.streams import CREDITS, score


def later(seconds: float) -> float:
    return time.monotonic() + seconds


def test_a_session_opens_with_hello(talk: Talk, lobby: Lobby) -> None:
    ready = talk.greet()
    session, guest = ready.pop("session"), talk.conversation.guest

    assert guest is not None
    assert (guest.session.id, guest.identity.client_id, lobby.places.taken) == (session, SHOP, {guest.place: SHOP})
    model = {"name": "fraud", "version": 1, "variant": None}
    resume = guest.session.resume_token
    assert ready == {"type": "ready", "resume": resume, "last_seq": 0, "credits": CREDITS, "model": model}


def test_a_token_may_come_by_header_and_the_model_by_query(parlour: Parlour) -> None:
    binding, bank = Binding(model="text", version="1"), make_identity(client_id=BANK)
    talks = [parlour.talk(TEXT, binding=binding, identity=bank) for _ in range(2)]
    ready, other = talks[0].greet(token=None), talks[1].greet()

    assert (ready["model"]["name"], other["type"]) == ("text", "ready")
    assert list(parlour.lobby.places.taken.values()) == [BANK, SHOP]


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        (None, "token_missing"),
        ({"exp": 1.0}, "token_expired"),
        ({"sub": "nobody"}, "token_revoked"),
        ({"scope": "jobs"}, "insufficient_scope"),
        ({"models": ("digits",)}, "model_not_allowed"),
    ],
)
def test_who_may_not_come_in_is_told_why(talk: Talk, claims: dict[str, Any] | None, code: str) -> None:
    told = talk.greet(token=None if claims is None else write_token(**claims))

    assert (told["type"], told["code"], told["retryable"]) == ("error", code, False)
    assert (talk.closed(), talk.reason, talk.is_over()) == (CloseCode.POLICY, told["detail"], True)


def test_who_may_come_later_is_told_so(talk: Talk, lobby: Lobby) -> None:
    lobby.places.is_away = True
    told = talk.greet()

    assert (told["code"], told["retryable"], talk.closed()) == ("redis_unavailable", True, CloseCode.TRY_LATER)


def test_a_session_goes_on_at_another_socket(talk: Talk, parlour: Parlour) -> None:
    ready = talk.greet()
    parlour.lobby.sessions.note_answered(talk.conversation.guest.session, 1)  # type: ignore[union-attr]
    again = parlour.talk().greet(resume=ready["resume"])

    assert again == ready | {"last_seq": 1}


@pytest.mark.parametrize("sub", [SHOP, BANK])
def test_a_session_that_is_not_there_is_no_end(talk: Talk, parlour: Parlour, sub: str) -> None:
    resume = talk.greet()["resume"] if sub == BANK else "a.b"
    other = parlour.talk()
    told = other.greet(token=write_token(sub=sub), resume=resume)

    assert (told["code"], other.greet()["type"]) == ("session_not_found", "ready")


def test_nothing_is_taken_before_hello(talk: Talk, parlour: Parlour) -> None:
    talk.pay(1)
    told = talk.hear()

    assert (told["code"], "hello" in told["detail"], parlour.calls.asked) == ("invalid_frame", True, [])
    assert talk.greet()["type"] == "ready"


def test_so_many_unreadable_frames_in_a_row_end_it(talk: Talk) -> None:
    talk.greet()
    unreadable: list[Event] = [Message("{"), BytesMessage(b"{}"), Message('{"type":"nonsense"}')] * MOST_UNREADABLE
    talk.send(*unreadable[: MOST_UNREADABLE - 1], Message('{"type":"ping"}'), *unreadable[:MOST_UNREADABLE])
    codes = [talk.hear().get("code", "pong") for _ in range(2 * MOST_UNREADABLE)]

    assert codes == ["invalid_frame"] * (MOST_UNREADABLE - 1) + ["pong"] + ["invalid_frame"] * MOST_UNREADABLE
    assert (talk.closed(), talk.is_over()) == (CloseCode.POLICY, True)


def test_pings_go_both_ways(talk: Talk, lobby: Lobby) -> None:
    talk.greet()
    talk.say("ping")
    assert talk.hear() == {"type": "pong"}
    talk.conversation.look_after(later(lobby.settings.stream_ping_s + 1))
    talk.conversation.look_after(later(lobby.settings.stream_ping_s + 2))
    assert talk.hear() == {"type": "ping"}
    talk.say("pong")

    assert talk.hears_nothing()


def test_bye_waits_for_answers_and_ends_the_session(talk: Talk, parlour: Parlour) -> None:
    ready = talk.greet()
    talk.pay(1)
    talk.say("bye")
    talk.pay(2)
    assert talk.hears_nothing()
    parlour.calls.conclude(score(0.5))

    assert (talk.hear()["seq"], talk.closed(), talk.is_over()) == (1, CloseCode.NORMAL, True)
    assert (len(parlour.calls.asked), parlour.lobby.places.taken) == (1, {})
    assert parlour.talk().greet(resume=ready["resume"])["code"] == "session_not_found"
    assert (talk.conversation.events, talk.conversation.close_code) == (1, CloseCode.NORMAL)


def test_bye_may_be_all_that_is_said(talk: Talk) -> None:
    talk.say("bye")

    assert (talk.closed(), talk.is_over()) == (CloseCode.NORMAL, True)


def test_a_fresh_token_is_told_how_far_the_session_is(talk: Talk) -> None:
    ready = talk.greet()
    talk.pay(1)

    assert talk.greet(resume=ready["resume"]) == ready | {"last_seq": 1, "credits": CREDITS - 1}


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"sub": BANK}, "token_invalid"),
        ({"models": ("text",)}, "model_not_allowed"),
        ({"exp": 1.0}, "token_expired"),
    ],
)
def test_a_token_that_does_not_renew_ends_it(talk: Talk, claims: dict[str, Any], code: str) -> None:
    talk.greet()

    assert talk.greet(token=write_token(**claims))["code"] == code
    assert talk.closed() == CloseCode.POLICY


def test_a_socket_keeps_its_session(talk: Talk) -> None:
    ready = talk.greet()

    assert talk.greet(resume="another.session")["code"] == "invalid_frame"
    assert talk.greet()["session"] == ready["session"]


@pytest.mark.parametrize("is_renewed", [False, True])
def test_a_token_that_expires_is_renewed_in_time_or_never(parlour: Parlour, is_renewed: bool) -> None:
    talk, grace_s = parlour.talk(identity=make_identity(expires_at=time.time() - 1)), 30.0
    talk.greet(token=None)
    talk.conversation.look_after(later(0))
    told = talk.hear()
    talk.conversation.look_after(later(grace_s - 1))
    assert (told["code"], talk.hear(), talk.hears_nothing()) == ("token_expired", {"type": "ping"}, True)
    if is_renewed:
        assert talk.greet()["type"] == "ready"
    talk.conversation.look_after(later(grace_s + 1))

    assert talk.hears_nothing() is is_renewed
    assert talk.close_code == (None if is_renewed else CloseCode.POLICY)


def test_a_revoked_token_ends_it(talk: Talk, lobby: Lobby) -> None:
    talk.greet()
    assert talk.conversation.guest is not None
    lobby.tokens.revocations.tell_token(talk.conversation.guest.identity.token_id)
    talk.conversation.look_after(later(0))

    assert (talk.hear()["code"], talk.closed()) == ("token_revoked", CloseCode.POLICY)


def test_who_does_not_say_hello_is_not_waited_for(talk: Talk, lobby: Lobby) -> None:
    talk.conversation.look_after(later(lobby.settings.stream_hello_s - 1))
    assert talk.hears_nothing()
    talk.conversation.look_after(later(lobby.settings.stream_hello_s + 1))

    assert (talk.hear()["code"], talk.closed(), talk.is_over()) == ("invalid_frame", CloseCode.POLICY, True)


def test_a_hello_that_came_is_waited_for(talk: Talk, lobby: Lobby) -> None:
    """Redis may be slow."""
    received = Reception.receive

    def receive(*args: Any) -> Guest:
        talk.conversation.look_after(later(lobby.settings.stream_hello_s + 1))
        return received(*args)

    with mock.patch.object(Reception, "receive", autospec=True, side_effect=receive):
        assert talk.greet()["type"] == "ready"
    assert talk.hears_nothing()


def test_a_hello_that_was_refused_is_not_waited_for(talk: Talk, lobby: Lobby) -> None:
    assert talk.greet(resume="a.b")["code"] == "session_not_found"
    talk.conversation.look_after(later(lobby.settings.stream_hello_s + 1))

    assert (talk.hear()["code"], talk.closed()) == ("invalid_frame", CloseCode.POLICY)


def test_a_silent_socket_ends(talk: Talk, lobby: Lobby) -> None:
    talk.greet()
    talk.conversation.look_after(later(lobby.settings.stream_idle_s + 1))

    assert (talk.closed(), talk.is_over(), lobby.places.taken) == (CloseCode.POLICY, True, {})


def test_who_lost_its_session_is_told(talk: Talk) -> None:
    talk.conversation.lose(9)
    talk.greet()
    talk.conversation.lose(1)
    assert talk.hears_nothing()
    talk.conversation.lose(2)

    assert (talk.hear()["code"], talk.closed()) == ("session_taken", CloseCode.POLICY)


def test_who_ignores_credits_is_closed(talk: Talk) -> None:
    talk.greet()
    talk.pay(*range(1, CREDITS + 2))

    assert (talk.hear()["code"], talk.closed()) == ("out_of_credits", CloseCode.POLICY)


def test_who_vanishes_leaves_its_place(talk: Talk, parlour: Parlour, caplog: pytest.LogCaptureFixture) -> None:
    talk.greet()
    talk.pay(1)
    gevent.idle()
    parlour.lobby.places.is_away = True
    talk.hang_up()
    assert talk.is_over()
    parlour.calls.conclude(score(0.5))

    assert (talk.close_code, talk.conversation.close_code) == (None, None)
    assert "could not be put away" in caplog.text


def test_who_does_not_close_too_is_cut(talk: Talk) -> None:
    talk.closes_too = False
    talk.conversation.leave()
    talk.conversation.look_after(later(CLOSING_S - 1))
    assert not talk.wire.is_cut
    talk.conversation.look_after(later(CLOSING_S + 1))

    assert talk.is_over()


def test_what_nobody_foresaw_is_told_before_the_end(talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    with mock.patch.object(Reception, "receive", autospec=True, side_effect=ZeroDivisionError("by what?")):
        talk.say("hello", token=write_token())
        assert (talk.closed(), talk.is_over()) == (CloseCode.INTERNAL, True)

    assert ("by what?" in caplog.text, talk.reason) == (True, "")


def test_who_has_a_session_that_was_forgotten_is_to_come_again(talk: Talk, parlour: Parlour) -> None:
    talk.greet()
    talk.pay(1)
    gevent.idle()
    talk.conversation.hear_kept(Hold.FORGOTTEN, later(0))
    parlour.calls.conclude(score(0.5))

    assert (talk.hear()["seq"], talk.closed()) == (1, CloseCode.GOING_AWAY)


def test_of_two_that_resume_at_once_the_later_one_has_it(talk: Talk, parlour: Parlour) -> None:
    """The news came before the first socket knew what session it has."""
    ready, sessions = talk.greet(), parlour.lobby.sessions
    again, resume = parlour.talk(), sessions.resume

    def resume_twice(token: str, **who: Any) -> StreamSession:
        session = resume(token, **who)
        resume(token, **who)
        return session

    with mock.patch.object(sessions, "resume", side_effect=resume_twice):
        told = again.greet(resume=ready["resume"])

    assert (told["code"], again.closed()) == ("session_taken", CloseCode.POLICY)
