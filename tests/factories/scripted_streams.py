"""Servers of streams that say what a test wrote down: one conversation per socket, in the order of the sockets."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

Frame = dict[str, Any]


class Talk:
    """The server's side of one socket."""

    def __init__(self, socket: ServerConnection) -> None:
        self._socket = socket

    async def hear(self) -> Frame:
        """Return the next frame of the client."""
        frame: Frame = json.loads(await self._socket.recv())
        return frame

    async def say(self, kind: str, **members: Any) -> None:
        """Send a frame."""
        await self._socket.send(json.dumps({"type": kind, **members}))

    async def greet(self, *, last_seq: int = 0, credits: int = 4, session: str = "s") -> Frame:
        """Take the hello, and answer it; return it."""
        hello = await self.hear()
        await self.say("ready", session=session, resume=f"{session}.secret", last_seq=last_seq, credits=credits)
        return hello

    async def answer(self, count: int = 1) -> list[int]:
        """Answer the next frames; return their numbers."""
        seqs = []
        for _ in range(count):
            seq = (await self.hear())["seq"]
            await self.say("score", seq=seq, credits=4)
            seqs.append(seq)
        return seqs

    async def fail(self, code: str, *, seq: int | None = None, is_retryable: bool = False) -> None:
        """Send an error."""
        of_seq = {} if seq is None else {"seq": seq}
        await self.say("error", **of_seq, code=code, detail=f"It is {code}.", retryable=is_retryable)

    async def close(self, code: int, reason: str = "") -> None:
        """End the socket in order."""
        await self._socket.close(code, reason)

    def drop(self) -> None:
        """End the socket as a crash does."""
        self._socket.transport.abort()


Conversation = Callable[[Talk], Awaitable[None]]


@asynccontextmanager
async def scripted_server(*conversations: Conversation, stream: str = "fraud") -> AsyncIterator[str]:
    """Serve sockets for the length of the block, and yield the stream's address.

    A socket stays open when its conversation is over. What a conversation raises is raised at the end.
    """
    left = list(conversations)
    failures: list[BaseException] = []

    async def converse(socket: ServerConnection) -> None:
        try:
            await left.pop(0)(Talk(socket))
        except BaseException as err:
            failures.append(err)
            raise
        await socket.wait_closed()

    async with serve(converse, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/api/v1/{stream}/stream"
    assert failures == []
    assert left == []
