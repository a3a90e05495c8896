"""Sessions over a real Redis: opened once, resumed by whoever has the token, lost by the socket that had it before."""

from pathlib import Path
from unittest import mock

import pytest
import redis

from app.errors import ModelNotAllowed, RedisUnavailable, SessionNotFound
from app.infra.redis import make_redis
from app.services import stream_sessions
from app.services.stream_sessions import TAKEN_CHANNEL, Hold, SessionFacts, StreamSession, StreamSessions, mark_key
from tests.factories.lobbies import anything_goes
from tests.factories.settings import make_settings
from tests.fakes.stream_sessions import FakeStreamSessions

KEEP_S = 600
FACTS = SessionFacts(client_id="shop", stream="fraud", model="fraud", version=3, variant="trial")


@pytest.fixture
def sessions(redis_client: redis.Redis) -> StreamSessions:
    return StreamSessions(redis_client, keep_s=KEEP_S)


@pytest.fixture(params=["real", "fake"])
def either(request: pytest.FixtureRequest, sessions: StreamSessions) -> StreamSessions:
    return sessions if request.param == "real" else FakeStreamSessions(keep_s=KEEP_S)


def resume(sessions: StreamSessions, token: str, **changes: str) -> StreamSession:
    return sessions.resume(token, **{"client_id": "shop", "stream": "fraud", **changes}, check=anything_goes)


def test_a_resumed_session_is_the_same_and_knows_how_far_it_was(either: StreamSessions) -> None:
    opened = either.open(FACTS)
    for seq in (4, 7, 5):
        either.note_answered(opened, seq)
    resumed = resume(either, opened.resume_token)

    assert (resumed.id, resumed.facts, resumed.last_seq) == (opened.id, opened.facts, 7)
    assert (resumed.facts.ref.name, resumed.facts.ref.version, resumed.facts.variant) == ("fraud", 3, "trial")
    assert resumed.resume_token == opened.resume_token


def test_the_former_socket_has_lost_it_and_is_told(sessions: StreamSessions, redis_client: redis.Redis) -> None:
    opened = sessions.open(FACTS)
    with redis_client.pubsub(ignore_subscribe_messages=True) as heard:  # type: ignore[no-untyped-call]
        heard.subscribe(TAKEN_CHANNEL)
        heard.get_message(timeout=1.0)
        resumed = resume(sessions, opened.resume_token)
        message = heard.get_message(timeout=1.0)

    assert message is not None
    assert message["data"] == f"{opened.id} {resumed.epoch}".encode()
    assert sessions.keep([opened, resumed]) == [Hold.TAKEN, Hold.HELD]


@pytest.mark.parametrize("changes", [{"client_id": "other"}, {"stream": "text"}])
def test_it_is_nobody_elses(either: StreamSessions, changes: dict[str, str]) -> None:
    token = either.open(FACTS).resume_token

    with pytest.raises(SessionNotFound):
        resume(either, token, **changes)


def test_a_token_must_be_right(either: StreamSessions) -> None:
    opened = either.open(FACTS)
    for token in (
        "",
        ".",
        "x",
        opened.id,
        f"{opened.id}.",
        f"{opened.id}.guess",
        f"{opened.id}:seq.x",
        "ä.ö",
        "\ud800",
    ):
        with pytest.raises(SessionNotFound):
            resume(either, token)
    assert either.keep([opened]) == [Hold.HELD]


def test_an_ended_session_is_gone(either: StreamSessions) -> None:
    opened = either.open(FACTS)
    either.note_answered(opened, 1)
    either.end(opened)

    assert either.keep([opened]) == [Hold.FORGOTTEN]
    with pytest.raises(SessionNotFound):
        resume(either, opened.resume_token)


def test_who_lost_a_session_does_not_end_it(either: StreamSessions) -> None:
    opened = either.open(FACTS)
    resumed = resume(either, opened.resume_token)
    either.end(opened)
    assert either.keep([resumed]) == [Hold.HELD]

    either.end(resumed)
    assert either.keep([opened, resumed]) == [Hold.FORGOTTEN] * 2


def test_who_may_not_go_on_takes_nothing(either: StreamSessions) -> None:
    opened, refuse = either.open(FACTS), mock.Mock(side_effect=ModelNotAllowed("fraud"))
    with pytest.raises(ModelNotAllowed):
        either.resume(opened.resume_token, client_id="shop", stream="fraud", check=refuse)

    refuse.assert_called_once_with(opened.facts)
    assert either.keep([opened]) == [Hold.HELD]


@pytest.mark.parametrize("lost", [("",), ("", "epoch", "seq")])
def test_what_redis_lost_is_forgotten(
    sessions: StreamSessions, redis_client: redis.Redis, lost: tuple[str, ...]
) -> None:
    opened, other = sessions.open(FACTS), sessions.open(FACTS)
    redis_client.delete(*(stream_sessions._key(opened.id, part) for part in lost))

    assert sessions.keep([opened, other]) == [Hold.FORGOTTEN, Hold.HELD]
    assert sessions.keep([]) == []


def test_a_number_that_redis_fell_back_to_is_nobody_elses(sessions: StreamSessions, redis_client: redis.Redis) -> None:
    resumed = resume(sessions, sessions.open(FACTS).resume_token)
    redis_client.decr(stream_sessions._key(resumed.id, "epoch"))

    assert sessions.keep([resumed]) == [Hold.FORGOTTEN]


def test_an_ended_session_leaves_nothing(sessions: StreamSessions, redis_client: redis.Redis) -> None:
    opened = sessions.open(FACTS)
    sessions.note_answered(opened, 1)
    sessions.end(opened)

    assert redis_client.keys("*") == []


def test_who_asks_is_told_of_each_taking(either: StreamSessions) -> None:
    told: list[tuple[str, int]] = []
    either.on_taken(lambda session_id, epoch: told.append((session_id, epoch)))
    either.hear(b"abc 7")

    assert told == [("abc", 7)]


def test_who_lost_a_session_keeps_it_no_more(either: StreamSessions) -> None:
    opened = either.open(FACTS)
    resumed = resume(either, opened.resume_token)

    assert either.keep([opened, resumed]) == [Hold.TAKEN, Hold.HELD]


def test_what_nobody_holds_is_forgotten_in_time(sessions: StreamSessions, redis_client: redis.Redis) -> None:
    opened = sessions.open(FACTS)
    sessions.note_answered(opened, 1)
    assert all(0 < redis_client.ttl(key) <= KEEP_S for key in redis_client.keys("*"))

    for key in redis_client.keys("*"):
        redis_client.expire(key, 5)
    sessions.keep([opened])
    assert all(redis_client.ttl(key) > KEEP_S - 5 for key in (*redis_client.keys("*"), mark_key(opened.id)))


def test_without_redis_it_says_so(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, redis_url=f"unix://{tmp_path}/none.sock")
    with make_redis(settings) as client, pytest.raises(RedisUnavailable):
        StreamSessions(client, keep_s=1).open(FACTS)
