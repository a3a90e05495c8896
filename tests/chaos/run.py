"""One run, from the first version that is published to the last process that is looked for."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.chaos.ground import Ground, standing
from tests.chaos.invariants import ALWAYS_ASKING, too_silent, unanswered, unexplained
from tests.chaos.journal import ANSWERED, Journal
from tests.chaos.load import Load
from tests.chaos.remains import Holding, holdings, more_descriptors, more_processes, processes_of
from tests.chaos.scraper import PATH
from tests.chaos.striking import Striker
from tests.factories.account_states import states_at
from tests.factories.stack import Stack

Say = Callable[[str], None]
# Servers that were replaced finish what they hold within DRAIN_S, 30 s by default, and may have been stopped in that.
ENDED_WITHIN_S = 45.0
# From then on nobody asks, and connections that are kept for the next request are let go by then.
LET_GO_WITHIN_S = 90.0
LOOK_EVERY_S = 1.0
BACK_WITHIN_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """For how long blows fall and by which seed, and within what time everything has to be back after each round."""

    seconds: float
    seed: int
    back_within_s: float = BACK_WITHIN_S

    @property
    def patience(self) -> float:
        """How much slower than a machine of two cores everything may be."""
        return self.back_within_s / BACK_WITHIN_S


def run_chaos(plan: Plan, *, like: Stack | None, say: Say) -> Journal:
    """Break a whole installation as planned; return what came of it.

    Where an invariant was broken, the logs of all parts are kept, and it is said where.
    """
    say("starting PostgreSQL, Redis, the stack and nginx" + ("" if like else ", and training the demo models"))
    with standing(like) as ground:
        var_dir, journal = ground.stack.var_dir, Journal()
        try:
            asyncio.run(_disturbed(ground, journal, plan, say))
        except BaseException as err:
            journal.broken("ran", f"{err!r}")
            say(f"the logs are kept in {_kept(var_dir / 'log', plan.seed)}")
            raise
        # Only when the stack has ended is it known whether they are needed, and then they are gone.
        logs = _kept(var_dir / "log", plan.seed)
    for process in processes_of(var_dir):
        journal.broken("nothing left", f"process {process}")
    if journal.violations:
        say(f"the logs are kept in {logs}")
    else:
        shutil.rmtree(logs.parent)
    return journal


def _kept(logs: Path, seed: int) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"galley-chaos-{seed}-"))
    return shutil.copytree(logs, folder / "log")


async def _disturbed(ground: Ground, journal: Journal, plan: Plan, say: Say) -> None:
    with tempfile.TemporaryDirectory(prefix="galley-echo-") as folder:
        load = Load(ground, journal, seed=plan.seed, folder=Path(folder), patience=plan.patience)
        try:
            await load.prepare()
            striker = Striker(ground, journal, back_within_s=plan.back_within_s, say=say)
            await striker.wait_back()
            before = holdings(ground.stack.processes())
            say(f"all is well after {journal.now_s():.0f} s; now for {plan.seconds:g} s it is not, by seed {plan.seed}")
            await load.run(striker.strike_until(journal.now_s() + plan.seconds, plan.seed))
            await striker.wait_back()
            await _sum_up(ground, journal, load, plan)
        finally:
            await load.close()
    journal.checked("nothing left", len(holdings(ground.stack.processes())))
    for what in await _left(ground, before, plan.patience):
        journal.broken("nothing left", what)


async def _sum_up(ground: Ground, journal: Journal, load: Load, plan: Plan) -> None:
    """Look at what the whole run came to."""
    for what in await load.wrong_at_the_end():
        journal.broken("kept", what)
    journal.checked("explained", len(journal.failures))
    journal.checked("soon", sum(silence.kind in ALWAYS_ASKING for silence in journal.silences))
    journal.checked("answered", sum(count for (_, came), count in journal.counts.items() if came == ANSWERED))
    load.scraper.sum_up()
    found = await asyncio.to_thread(states_at, ground.full.state_redis.url)
    load.reference.compare_states(found)
    journal.violations += unexplained(journal.failures, journal.struck)
    journal.violations += too_silent(journal.silences, journal.struck, patience=plan.patience)
    journal.violations += unanswered(journal)


async def _left(ground: Ground, before: Sequence[Holding], patience: float) -> list[str]:
    """Return what is left of the load when everybody had time to let go: first the servers of before, then the rest."""
    await _told(lambda: more_processes(holdings(ground.stack.processes()), before), ENDED_WITHIN_S * patience)
    return await _told(lambda: _more(ground, before), LET_GO_WITHIN_S * patience)


def _more(ground: Ground, before: Sequence[Holding]) -> list[str]:
    # Only a scrape lets go of what the dead counted in, and in production there is always another one.
    try:
        httpx.get(f"{ground.stack.url}{PATH}").raise_for_status()
    except httpx.HTTPError as err:
        return [f"a server that cannot be scraped: {err!r}"]

    now = holdings(ground.stack.processes())
    return more_processes(now, before) + more_descriptors(now, before)


async def _told(look: Callable[[], list[str]], within_s: float) -> list[str]:
    """Look until there is nothing to tell, so long; return what there is."""
    deadline = time.monotonic() + within_s
    while (told := await asyncio.to_thread(look)) and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_EVERY_S)
    return told
