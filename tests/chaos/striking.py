"""Round after round: blows fall, everything has to come back, and then there is a calm in which nothing may fail."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable

from tests.chaos.blows import blows_for
from tests.chaos.ground import Ground
from tests.chaos.invariants import GRACE_S
from tests.chaos.journal import Journal, Struck
from tests.chaos.schedule import Planned, rounds
from tests.factories.stack import title_of

LOOK_EVERY_S = 0.2
# Models that are to have a runner, whoever was killed.
SERVED = ("digits/1", "fraud/1", "recommender/1", "text/1", "echo/")


class Striker:
    """Deals what the seed says."""

    def __init__(self, ground: Ground, journal: Journal, *, back_within_s: float, say: Callable[[str], None]) -> None:
        self._ground, self._journal, self._say = ground, journal, say
        self._back_within_s = back_within_s
        self._blows = blows_for(ground)
        journal.possible = frozenset(self._blows)
        self._locks = defaultdict[str, asyncio.Lock](asyncio.Lock)

    async def strike_until(self, end_s: float, seed: int) -> None:
        """Strike until that much of the run is over."""
        for dealt in rounds(sorted(self._blows), seed):
            if self._journal.now_s() >= end_s:
                return
            after_s, falls = 0.0, []
            for planned in dealt.blows:
                after_s += planned.after_s
                falls.append(self._strike(planned, after_s))
            await asyncio.gather(*falls)
            await self.wait_back()
            await asyncio.sleep(GRACE_S + dealt.calm_s)

    async def wait_back(self) -> None:
        """Wait until everything is back that was struck; that it takes too long is a violation."""
        began_s = self._journal.now_s()
        self._journal.checked("back in time")
        while not await asyncio.to_thread(is_back, self._ground):
            if self._journal.now_s() > began_s + self._back_within_s:
                what = f"after {self._back_within_s:g} s: {self._ground.stack.supervisorctl('status')}"
                self._journal.broken("back in time", what)
                break
            await asyncio.sleep(LOOK_EVERY_S)
        self._journal.all_back()

    async def _strike(self, planned: Planned, after_s: float) -> None:
        await asyncio.sleep(after_s)
        blow = self._blows[planned.name]
        async with self._locks[blow.part]:
            at_s = self._journal.now_s()
            whom = await asyncio.to_thread(blow.strike, self._ground, random.Random(planned.seed))
        self._journal.strike(
            Struck(name=planned.name, whom=whom, excuses=blow.excuses, at_s=at_s, silence_s=blow.silence_s)
        )
        self._say(f"{at_s:6.1f} s  {planned.name}: {whom}")


def is_back(ground: Ground) -> bool:
    """Say whether every part is there, and callers are told that all is well."""
    if not ground.is_rid_of_the_dead():
        return False

    titles = " ".join(title_of(process) for process in ground.stack.processes())
    has_parts = len(ground.web_workers()) >= 2 and len(ground.pool()) >= 2 and "galley-controller" in titles
    return has_parts and all(f"galley-runner {name}" in titles for name in SERVED) and ground.is_ready()
