"""Progress lines for work that takes longer than a person likes to look at nothing."""

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)

Report = Callable[[str], None]


class SizedIterable(Sized, Iterable[Item_co], Protocol[Item_co]):
    """Something to go through whose length is known."""


def tracked(
    items: SizedIterable[Item],
    title: str,
    report: Report,
    *,
    every_s: float = 5.0,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Item]:
    """Yield the items, reporting how many are done: at most one line per `every_s`, and none for quick work."""
    total = len(items)
    started = told = clock()
    for done, item in enumerate(items):
        now = clock()
        if now - told >= every_s:
            left_s = (now - started) / done * (total - done) if done else 0.0
            report(f"{title}: {done} of {total}, about {left_s:.0f} s left")
            told = now
        yield item
