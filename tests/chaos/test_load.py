"""Whoever is not done when everybody was to be has not been answered, and is named."""

import asyncio

from tests.chaos.journal import Journal
from tests.chaos.load import settle


async def _hang() -> None:
    await asyncio.Event().wait()


async def _give_up() -> None:
    raise ConnectionError("enough")


async def _end() -> None:
    return


def test_late_callers_and_those_who_gave_up_break_answered() -> None:
    journal = Journal()

    async def all_three() -> None:
        works = {"late": _hang(), "weak": _give_up(), "good": _end()}
        tasks = [asyncio.create_task(work, name=name) for name, work in works.items()]
        await settle(tasks, journal, within_s=0.01)
        assert all(task.done() for task in tasks)

    asyncio.run(all_three())

    assert [violation.rule for violation in journal.violations] == ["answered", "answered"]
    assert [violation.what.split()[0] for violation in journal.violations] == ["late", "weak"]
