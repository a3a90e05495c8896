"""A client of Galley's streams: it resumes what was cut off, honours credits, and asks again for what got no answer."""

import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Self

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

Frame = dict[str, Any]


class StreamError(Exception):
    """The stream has ended for good."""


class StreamClient:
    """One session, over as many sockets as it takes. A `token` may be a function: what it raises is taken to pass."""

    def __init__(self, url: str, token: str | Callable[[], str]) -> None:
        self._url, self._is_text, self._trouble, self._rest_s = url, "/text/stream" in url, "", 0.0
        self._token = token if callable(token) else lambda: token
        self._unanswered = dict[int, tuple[Frame, str]]()  # By seq: what is asked, and its frame but for the seq.
        self._under_way = set[int]()  # Which of them were sent over this socket.
        self._resume, self._answers, self._changed = dict[str, str](), list[tuple[Frame, Frame]](), asyncio.Event()
        self._answered = self._credits = self._most = self._failures = 0  # `_most` is 1 after trouble.

    async def __aenter__(self) -> Self:
        self._running = asyncio.gather(self._stay_connected(), self._send_all())
        self._running.add_done_callback(lambda _: self._changed.set())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._credits:
            with suppress(ConnectionClosed):
                await self._socket.send('{"type":"bye"}')
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    async def answers(self, asked: AsyncIterable[Frame]) -> AsyncIterator[tuple[Frame, Frame]]:
        """Send payments, or pieces of text `{"text", "end"?}`; yield each with its answer's frame, as answers come."""
        feeding = asyncio.create_task(self._feed(asked))
        feeding.add_done_callback(lambda _: self._changed.set())
        try:
            while await self._until(lambda: self._answers or feeding.done()) and self._answers:
                yield self._answers.pop(0)
                self._changed.set()
            feeding.result()
        finally:
            feeding.cancel()

    async def _feed(self, asked: AsyncIterable[Frame]) -> None:
        async for each in asked:
            frame = {"type": "text", **each} if self._is_text else {"type": "event", "event": each}
            await self._until(lambda: len(self._unanswered) + len(self._answers) < self._credits)
            seq = max([self._answered, *self._unanswered]) + 1
            self._unanswered[seq] = each, json.dumps(frame, allow_nan=False)[:-1]
            self._changed.set()
        await self._until(lambda: not self._unanswered)

    async def _stay_connected(self) -> None:
        while True:
            try:
                async with connect(self._url, compression=None) as self._socket:
                    await self._greet()
                    async for message in self._socket:
                        await self._hear(json.loads(message))
            except (OSError, InvalidHandshake, ConnectionClosed) as err:
                if isinstance(err, ConnectionClosed) and err.rcvd and err.rcvd.code in {1002, 1003, 1007, 1008, 1009}:
                    raise StreamError(f"{err}") from err
                self._trouble = f"{err}"
            self._credits, self._most, self._under_way = 0, 0, set()
            await self._pause()

    async def _greet(self) -> None:
        try:
            token = await asyncio.to_thread(self._token)
        except Exception as err:  # Of whatever library the function is made.
            raise OSError(f"There is no token: {err!r}") from err
        await self._socket.send(json.dumps({"type": "hello", "token": token, **self._resume}))

    async def _send_all(self) -> None:
        while await self._until(lambda: len(self._under_way) < min(self._most, len(self._unanswered))):
            if self._rest_s:
                await self._pause()
                continue
            self._under_way.add(seq := min(self._unanswered.keys() - self._under_way))
            with suppress(ConnectionClosed):  # It is sent again over the next socket.
                await self._socket.send(f'{self._unanswered[seq][1]}, "seq": {seq}}}')

    async def _hear(self, frame: Frame) -> None:
        self._under_way.discard(frame.get("seq", 0))
        match frame:
            case {"type": "ready", "last_seq": last}:
                if last < self._answered and self._is_text:
                    raise StreamError("The session is gone, and what its text had come to.")
                if last < self._answered:  # It is another session. A payment counts once all the same, by its id.
                    self._unanswered, self._answered = dict(enumerate(self._unanswered.values(), last + 1)), last
                self._resume, self._credits = {"resume": frame["resume"]}, self._credits or frame["credits"]
                self._failures, self._most = (self._failures, 1) if self._unanswered else (0, self._credits)
            case {"type": "ping"}:
                await self._socket.send('{"type":"pong"}')
            case {"type": "error", "code": "token_expired" | "session_not_found" as code}:
                self._resume = {} if code == "session_not_found" else self._resume
                await self._greet()
            case {"type": "error", "retryable": True, "detail": why}:  # Later numbers are refused until this one came.
                self._most, self._trouble, self._rest_s = min(1, self._credits), why, frame.get("retry_after_s") or 0.01
            case {"seq": seq} if seq in self._unanswered:
                self._answers.append((self._unanswered.pop(seq)[0], frame))
                self._answered = max(self._answered, seq)
                self._failures, self._most = (self._failures, 1) if self._rest_s else (0, self._credits)
            case {"type": "error", "retryable": False} if "seq" not in frame:
                raise StreamError(f"{frame['code']}: {frame['detail']}")
        self._changed.set()

    async def _pause(self) -> None:
        self._failures += 1
        if self._failures > 20:  # With the pauses between, a minute.
            raise StreamError(self._trouble)
        await asyncio.sleep(self._rest_s + random.uniform(0.02, 0.04) * 2 ** min(self._failures, 7))
        self._rest_s = 0.0

    async def _until(self, is_so: Callable[[], Any]) -> Any:
        while not (is_so() or self._running.done()):
            self._changed.clear()
            await self._changed.wait()
        return is_so() or self._running.result()


async def _read_lines() -> AsyncIterator[Frame]:
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield json.loads(line)


async def main(stream: str) -> None:
    """Ask what standard input holds, a JSON value a line: `TOKEN=… python stream_client.py fraud < payments.ndjson`."""
    url = os.environ.get("GALLEY", "http://127.0.0.1:8000").replace("http", "ws", 1)
    async with StreamClient(f"{url}/api/v1/{stream}/stream", os.environ["TOKEN"]) as client:
        async for _, answer in client.answers(_read_lines()):
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
