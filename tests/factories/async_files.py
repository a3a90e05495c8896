"""A file system whose calls are coroutines, as those of object stores are; each goes to a server first and waits."""

import asyncio
from pathlib import Path
from typing import Any

from fsspec.asyn import AsyncFileSystem
from fsspec.spec import AbstractBufferedFile

WAIT_S = 0.02


class AsyncFiles(AsyncFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Keeps files in memory; fsspec runs its coroutines on a loop of its own."""

    protocol = "async-files"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.files: dict[str, bytes] = {}
        self._server: asyncio.Server | None = None

    async def _info(self, path: str, **_: Any) -> dict[str, Any]:
        await self._reach()
        return self._described(self._strip_protocol(path))

    async def _ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        await self._reach()
        prefix = f"{self._strip_protocol(path)}/"
        found = sorted({prefix + name[len(prefix) :].split("/")[0] for name in self.files if name.startswith(prefix)})
        return [self._described(name) for name in found] if detail else found

    async def _cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        await self._reach()
        self._described(self._strip_protocol(path))
        return self.files[self._strip_protocol(path)][start:end]

    async def _put_file(self, lpath: str, rpath: str, **_: Any) -> None:
        await self._reach()
        self.files[self._strip_protocol(rpath)] = Path(lpath).read_bytes()

    async def _rm_file(self, path: str, **_: Any) -> None:
        await self._reach()
        self.files.pop(self._strip_protocol(path), None)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> "_Reading":
        return _Reading(self, path, mode, **options)

    def _described(self, name: str) -> dict[str, Any]:
        if name in self.files:
            return {"name": name, "size": len(self.files[name]), "type": "file"}
        if any(other.startswith(f"{name}/") for other in self.files):
            return {"name": name, "size": 0, "type": "directory"}
        raise FileNotFoundError(name)

    async def _reach(self) -> None:
        """Wait for an answer of a server, as a request to a store does."""
        if self._server is None:
            self._server = await asyncio.start_server(_answer, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*self._server.sockets[0].getsockname())
        writer.write(b"?")
        await reader.readexactly(1)
        writer.close()


class _Reading(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    def _fetch_range(self, start: int, end: int) -> bytes:
        data: bytes = self.fs.cat_file(self.path, start=start, end=end)
        return data


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(1)
    await asyncio.sleep(WAIT_S)
    writer.write(b"!")
    await writer.drain()
    writer.close()
