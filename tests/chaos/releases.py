"""An operator who publishes version after version and moves the alias there and back while everything breaks."""

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.caller import Caller
from tests.chaos.echo_model import NAME, artifact, manifest

MODEL = f"/api/v1/models/{NAME}"
# Until a new version is READY the one before goes on answering, which may take as long as a part takes to come back.
LINGERS_S = 60.0
POLL_S = 0.5


@dataclass
class Releases:
    """Which version was to answer since when."""

    moves: list[tuple[float, int]] = field(default_factory=list)
    published: list[int] = field(default_factory=list)
    deleted: set[int] = field(default_factory=set)

    def wrong_with(self, version: int, row: list[float], told: list[float], began_s: float) -> list[str]:
        """Return what is wrong with the answer to a row of the echo model, in words."""
        wrong = [] if told == [number + version for number in row] else [f"version {version} made {told} of {row}"]
        return wrong if version in self.allowed(began_s) else [*wrong, f"version {version} answers no more, nor yet"]

    def allowed(self, began_s: float) -> set[int]:
        """Return the versions that may answer a request that was sent then, and is answered now."""
        ends = [at_s for at_s, _ in self.moves[1:]] + [float("inf")]
        return {version for (_, version), end_s in zip(self.moves, ends, strict=True) if end_s > began_s - LINGERS_S}


@dataclass
class Operator:
    """The one who releases."""

    caller: Caller
    releases: Releases
    folder: Path

    async def release(self) -> None:
        """Publish the next version and have it answer."""
        version = len(self.releases.published) + 1
        with self.caller.journal.work("release", f"version {version}"):
            await self._publish(version)
            await self._move(version)

    async def release_on(self, *, pace_s: float, rng: random.Random) -> None:
        """Release, take back, release again; what is two versions old is deleted."""
        while not self.caller.over.is_set():
            await asyncio.sleep(rng.uniform(0, 2 * pace_s))
            await self.release()
            [*_, before, newest] = self.releases.published
            for version in rng.choice(([], [before, newest])):
                with self.caller.journal.work("release", f"alias to {version}"):
                    await self._move(version)
            await self._delete(before - 1)

    async def wrong_at_the_end(self) -> list[str]:
        """Return what is wrong with what the server knows of the model, in words."""
        told = (await self.caller.ask("release", "GET", MODEL)).json()
        versions = sorted(each["version"] for each in told["versions"])
        expected = [each for each in self.releases.published if each not in self.releases.deleted]
        wrong = [] if versions == expected else [f"there are versions {versions}, not {expected}"]
        self.caller.journal.checked("kept", len(expected) + 1)
        newest = self.releases.moves[-1][1]
        return wrong if told["default"] == newest else [*wrong, f"default is {told['default']}, not {newest}"]

    async def _publish(self, version: int) -> None:
        files = {
            "artifact": ("echo.pt", await asyncio.to_thread(artifact, version, self.folder)),
            "manifest": (None, manifest(version)),
        }
        # A 409 says that an earlier try, which got no answer, came through.
        await self._ask("POST", f"{MODEL}/versions", good=(202, 409), files=files)
        # Until its verification is done there is no such version.
        while (await self._ask("GET", f"{MODEL}/versions/{version}", good=(200, 404))).status_code != 200:
            await asyncio.sleep(POLL_S)
        self.releases.published.append(version)

    async def _move(self, version: int) -> None:
        # From the first try on it may answer, whether that try gets an answer or not.
        self.releases.moves.append((self.caller.journal.now_s(), version))
        await self._ask("PUT", f"{MODEL}/aliases/default", good=(200, 201), json={"version": version})
        # And until now the one before may.
        self.releases.moves[-1] = (self.caller.journal.now_s(), version)

    async def _delete(self, version: int) -> None:
        if version < 1 or version in self.releases.deleted:
            return

        # 404: an earlier try came through. 409: a job needs it still.
        answer = await self._ask("DELETE", f"{MODEL}/versions/{version}", good=(200, 204, 404, 409))
        if answer.status_code != 409:
            self.releases.deleted.add(version)

    async def _ask(self, method: str, path: str, **request: Any) -> Any:
        return await self.caller.ask("release", method, path, **request)
