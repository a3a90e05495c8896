"""A store of the network is reached from a gevent worker, and nobody else waits for it."""

import subprocess
import sys

import fsspec.asyn

from app.infra.hub_loop import start_hub_loop

# Patched processes cannot be made in a test's own. Each call of the file system takes 0.1 s of network.
PATCHED = """
from gevent import monkey
monkey.patch_all()
import asyncio, time
from pathlib import Path
import gevent
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from app.infra.hub_loop import start_hub_loop
from model_store.model_ref import ModelRef
from model_store.reader import ModelStore
from model_store.removal import remove

class FarAway(AsyncFileSystem):
    memory = MemoryFileSystem()
    async def _ask(self, method, *args, **options):
        await asyncio.sleep(0.1)
        return getattr(self.memory, method)(*args, **options)
    async def _ls(self, path, **options): return await self._ask("ls", path, detail=options.get("detail", True))
    async def _info(self, path, **_): return await self._ask("info", path)
    async def _rm_file(self, path, **_): return await self._ask("rm_file", path)
    async def _pipe_file(self, path, value, **_): return await self._ask("pipe_file", path, value)

pauses = [0.0]
def beat():
    while True:
        before = time.monotonic()
        gevent.sleep(0.01)
        pauses.append(time.monotonic() - before)

start_hub_loop()
start_hub_loop()
for name in ("manifest.json", "model.pt", "claim"):
    FarAway.memory.pipe_file(f"/store/tiny/1/{name}", b"x")
store = ModelStore(FarAway(), "/store", Path("/nowhere"))
gevent.spawn(beat)
assert remove(store, ModelRef("tiny", 1))
entries = [gevent.spawn(store.entries, ModelRef("tiny", 1)) for _ in range(3)]
gevent.joinall(entries, raise_error=True)
assert [job.value for job in entries] == [{"claim", "deleted"}] * 3
assert len(pauses) > 20, pauses
"""


def test_remote_store_is_reached_from_a_patched_process() -> None:
    done = subprocess.run([sys.executable, "-c", PATCHED], capture_output=True, text=True, timeout=120, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_elsewhere_fsspec_is_left_alone() -> None:
    before = list(fsspec.asyn.loop)
    start_hub_loop()

    assert list(fsspec.asyn.loop) == before
