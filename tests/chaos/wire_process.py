"""A process that passes bytes on between two parts, and cuts them off, or holds them back, when it is told to.

It reads a word and its arguments from each line of its standard input, and answers each with one line.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

CHUNK_BYTES = 65536
UNIX = "unix:"

Opened = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Wire:
    """All connections from whoever connects to one address to the part behind it."""

    target: str
    address: str = ""
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _flows: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, address: str) -> None:
        """Listen at `unix:PATH`, or at a TCP port of 127.0.0.1; 0 takes a free one."""
        self._flows.set()
        if address.startswith(UNIX):
            await asyncio.start_unix_server(self._connect, address.removeprefix(UNIX))
            self.address = address
        else:
            server = await asyncio.start_server(self._connect, "127.0.0.1", int(address))
            self.address = f"{server.sockets[0].getsockname()[1]}"

    def cut(self) -> int:
        """Break off all connections, in the middle of whatever they say; return how many there were."""
        count = len(self._open) // 2
        for writer in self._open:
            writer.transport.abort()
        return count

    def hold(self) -> None:
        """Let nothing through: connections stand, and nothing comes."""
        self._flows.clear()

    def release(self) -> None:
        """Let what was held go on."""
        self._flows.set()

    async def _connect(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        try:
            far_reader, far = await _opened(self.target)
        except OSError:
            near.transport.abort()
            return

        ends = {near, far}
        self._open |= ends
        try:
            await asyncio.gather(self._pass(near_reader, far), self._pass(far_reader, near))
        finally:
            self._open -= ends
            for writer in ends:
                writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(CHUNK_BYTES):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        except OSError:
            # Broken off at one end: the other is to hear of it, and not to wait.
            writer.transport.abort()


async def _opened(target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if target.startswith(UNIX):
        return await asyncio.open_unix_connection(target.removeprefix(UNIX))

    return await asyncio.open_connection("127.0.0.1", int(target))


@dataclass
class Switchboard:
    """The wires by their names, and the words that are said to them."""

    wires: dict[str, Wire] = field(default_factory=dict)

    async def obey(self, line: str) -> str:
        """Do what a line says; return the answer."""
        match line.split():
            case ["open", name, address, target]:
                self.wires[name] = Wire(target)
                await self.wires[name].listen(address)
                return self.wires[name].address
            case ["cut", name]:
                return f"{self.wires[name].cut()}"
            case ["hold", name]:
                self.wires[name].hold()
            case ["release", name]:
                self.wires[name].release()
            case _:
                return f"? {line}"
        return "done"


async def serve() -> None:
    """Obey until standard input ends."""
    board = Switchboard()
    while line := await asyncio.to_thread(sys.stdin.readline):
        sys.stdout.write(f"{await board.obey(line)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve())
