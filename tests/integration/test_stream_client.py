"""The client of docs/examples against servers that drop it, refuse it and keep it waiting."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from docs.examples import stream_client
from docs.examples.stream_client import StreamClient, StreamError
from tests.architecture.source import ROOT
from tests.factories.scripted_streams import Talk, scripted_server

Frame = dict[str, Any]
LONGEST_S = 30.0


async def events(count: int) -> AsyncIterator[Frame]:
    for number in range(1, count + 1):
        yield {"event_id": f"e-{number}"}


async def pieces(*texts: str) -> AsyncIterator[Frame]:
    for text in texts:
        yield {"text": text}


async def ask(url: str, asked: AsyncIterator[Frame], token: Any = "t") -> list[tuple[Frame, Frame]]:
    async with asyncio.timeout(LONGEST_S), StreamClient(url, token) as stream:
        return [pair async for pair in stream.answers(asked)]


def run(*conversations: Any, asked: AsyncIterator[Frame], stream: str = "fraud", token: Any = "t") -> Any:
    async def scenario() -> Any:
        async with scripted_server(*conversations, stream=stream) as url:
            return await ask(url, asked, token)

    return asyncio.run(scenario())


def seqs(answers: list[tuple[Frame, Frame]]) -> dict[str, int]:
    """Return the number of each event's answer."""
    return {event["event_id"]: answer["seq"] for event, answer in answers}


def test_numbers_begin_at_one_and_the_session_is_ended() -> None:
    heard = []

    async def serve(talk: Talk) -> None:
        heard.append(await talk.greet())
        await talk.answer(3)
        heard.append(await talk.hear())

    answers = run(serve, asked=events(3))

    assert heard == [{"type": "hello", "token": "t"}, {"type": "bye"}]
    assert seqs(answers) == {"e-1": 1, "e-2": 2, "e-3": 3}


def test_no_more_is_in_flight_than_credits_allow() -> None:
    async def serve(talk: Talk) -> None:
        await talk.greet(credits=2)
        first = [await talk.hear(), await talk.hear()]
        await talk.say("ping")
        # A third event would have come before the pong.
        assert await talk.hear() == {"type": "pong"}
        for frame in first:
            await talk.say("score", seq=frame["seq"], credits=1)
        await talk.answer(1)

    assert seqs(run(serve, asked=events(3))) == {"e-1": 1, "e-2": 2, "e-3": 3}


def test_what_got_no_answer_is_sent_again_over_the_next_socket() -> None:
    async def drop(talk: Talk) -> None:
        await talk.greet()
        for _ in range(3):
            await talk.hear()
        await talk.say("score", seq=2, credits=4)
        talk.drop()

    async def go_on(talk: Talk) -> None:
        hello = await talk.greet(last_seq=2)
        assert hello["resume"] == "s.secret"
        # Also the one below `last_seq`: its answer was lost.
        assert await talk.answer(2) == [1, 3]

    assert seqs(run(drop, go_on, asked=events(3))) == {"e-1": 1, "e-2": 2, "e-3": 3}


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013])
def test_sockets_that_end_for_a_while_are_followed_by_others(code: int) -> None:
    async def end(talk: Talk) -> None:
        await talk.greet()
        await talk.hear()
        await talk.close(code)

    async def go_on(talk: Talk) -> None:
        assert (await talk.greet())["resume"] == "s.secret"
        await talk.answer(1)

    assert seqs(run(end, go_on, asked=events(1))) == {"e-1": 1}


def test_a_policy_violation_ends_the_stream() -> None:
    async def refuse(talk: Talk) -> None:
        await talk.greet()
        await talk.close(1008, "Read what you are sent.")

    with pytest.raises(StreamError, match=r"1008.*Read what you are sent"):
        run(refuse, asked=events(1))


def test_a_refused_hello_says_why() -> None:
    async def refuse(talk: Talk) -> None:
        await talk.hear()
        await talk.fail("insufficient_scope")

    with pytest.raises(StreamError, match="insufficient_scope"):
        run(refuse, asked=events(1))


def test_what_was_not_taken_is_sent_again_lowest_number_first_and_alone() -> None:
    async def serve(talk: Talk) -> None:
        await talk.greet()
        for code in ("queue_full", "sequence_skipped", "sequence_skipped"):
            await talk.fail(code, seq=(await talk.hear())["seq"], is_retryable=True)
        assert (await talk.hear())["seq"] == 1
        await talk.say("ping")
        # Another event would have come before the pong.
        assert await talk.hear() == {"type": "pong"}
        await talk.say("score", seq=1, credits=4)
        assert await talk.answer(2) == [2, 3]

    assert seqs(run(serve, asked=events(3))) == {"e-1": 1, "e-2": 2, "e-3": 3}


def test_what_is_under_way_is_not_sent_twice() -> None:
    async def serve(talk: Talk) -> None:
        await talk.greet()
        for _ in range(3):
            await talk.hear()
        await talk.fail("queue_full", seq=2, is_retryable=True)
        for seq in (1, 3):
            await talk.say("score", seq=seq, credits=4)
        assert await talk.answer(1) == [2]
        assert await talk.hear() == {"type": "bye"}

    assert seqs(run(serve, asked=events(3))) == {"e-1": 1, "e-2": 2, "e-3": 3}


def test_the_server_says_how_long_it_wants_to_be_left_alone() -> None:
    async def serve(talk: Talk) -> None:
        await talk.greet()
        await talk.hear()
        await talk.say("error", seq=1, code="rate_limited", detail="Later.", retryable=True, retry_after_s=0.5)
        await talk.answer(1)

    began_at = time.monotonic()
    run(serve, asked=events(1))

    assert time.monotonic() - began_at >= 0.5


def test_one_event_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)
    tried = []

    async def refuse(talk: Talk) -> None:
        await talk.greet()
        while (frame := await talk.hear())["type"] == "event":
            tried.append(frame["seq"])
            await talk.fail("queue_full", seq=frame["seq"], is_retryable=True)

    with pytest.raises(StreamError, match="queue_full"):
        run(refuse, asked=events(1))
    assert tried == [1] * 21


def test_what_is_wrong_with_an_event_is_its_answer() -> None:
    async def serve(talk: Talk) -> None:
        await talk.greet()
        await talk.fail("validation_failed", seq=(await talk.hear())["seq"])
        await talk.answer(1)

    codes = [answer.get("code") for _, answer in run(serve, asked=events(2))]

    assert codes == ["validation_failed", None]


def test_an_expired_token_is_followed_by_a_fresh_one() -> None:
    tokens = iter(["old", "fresh"])

    async def serve(talk: Talk) -> None:
        assert (await talk.greet(credits=2))["token"] == "old"
        for _ in range(2):
            await talk.hear()
        await talk.fail("token_expired")
        # What is left of the credits, which are the same ones.
        assert (await talk.greet(last_seq=2, credits=0))["token"] == "fresh"
        for seq in (1, 2):
            await talk.say("score", seq=seq, credits=seq)
        await talk.answer(3)

    assert len(run(serve, asked=events(5), token=lambda: next(tokens))) == 5


def test_a_token_that_does_not_come_is_asked_for_again() -> None:
    asked: list[int] = []

    def token() -> str:
        asked.append(len(asked))
        if len(asked) == 1:
            raise LookupError("They are out of tokens.")
        return "late"

    async def wait_for_hello(talk: Talk) -> None:
        with pytest.raises(ConnectionClosed):
            await talk.hear()

    async def serve(talk: Talk) -> None:
        assert (await talk.greet())["token"] == "late"
        await talk.answer(1)

    assert seqs(run(wait_for_hello, serve, asked=events(1), token=token)) == {"e-1": 1}


def test_payments_go_on_in_a_new_session_where_theirs_is_gone() -> None:
    async def drop(talk: Talk) -> None:
        await talk.greet()
        await talk.answer(2)
        await talk.hear()
        talk.drop()

    async def forget(talk: Talk) -> None:
        assert "resume" in await talk.hear()
        await talk.fail("session_not_found")
        assert "resume" not in await talk.greet(session="other")
        assert await talk.answer(2) == [1, 2]

    assert seqs(run(drop, forget, asked=events(4))) == {"e-1": 1, "e-2": 2, "e-3": 1, "e-4": 2}


def test_a_text_does_not_go_on_where_its_session_is_gone() -> None:
    async def drop(talk: Talk) -> None:
        await talk.greet()
        await talk.answer(1)
        talk.drop()

    async def forget(talk: Talk) -> None:
        await talk.hear()
        await talk.fail("session_not_found")
        await talk.greet(session="other")

    with pytest.raises(StreamError, match="session is gone"):
        run(drop, forget, asked=pieces("a", "b"), stream="text")


def test_pieces_of_a_text_are_frames() -> None:
    heard = []

    async def serve(talk: Talk) -> None:
        await talk.greet()
        heard.append(await talk.hear())
        await talk.say("prediction", seq=1, credits=4)

    run(serve, asked=pieces("näh"), stream="text")

    assert heard == [{"type": "text", "text": "näh", "seq": 1}]


def test_what_is_no_json_is_told_to_whoever_sent_it() -> None:
    async def bad() -> AsyncIterator[Frame]:
        yield {"amount": float("nan")}

    async def serve(talk: Talk) -> None:
        await talk.greet()

    with pytest.raises(ValueError, match="Out of range float"):
        run(serve, asked=bad())


def test_nobody_is_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)

    with pytest.raises(StreamError, match="Connect"):
        asyncio.run(ask("ws://127.0.0.1:9/api/v1/fraud/stream", events(1)))


def test_the_document_shows_the_client_as_it_is() -> None:
    client = Path(stream_client.__file__).read_text("utf-8")

    assert f"```python\n{client}```" in (ROOT / "docs/streaming.md").read_text("utf-8")
    assert len(client.splitlines()) < 150
