"""What the controller remembers of versions, whether they run or not: what they need, when they were READY and used."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cachetools import LRUCache

from app.inference.messages import RunnerState
from app.services.catalog import DesiredVersion
from workers.controller.situation import Prospect, RunnerView
from workers.controller.wishes import Wishes

# What a runner of a tiny model holds alone; one that was never weighed is guessed by this and the size of its files.
RUNNER_BYTES = 20 * 2**20
VERSIONS_KEPT = 4096


@dataclass(kw_only=True)
class Entry:
    """One version. Times are unix seconds, 0 for never; bytes are what its runner was last seen to hold alone."""

    private_bytes: int = 0
    ready_at: float = 0.0
    used_at: float = 0.0
    waiting_since: float = 0.0
    """When the first of the callers came who wait now; each later wish replaces the time of the one before."""
    has_given_way: bool = False
    """Whether it was evicted, and has not been READY since."""


class Ledger:
    """Remembers versions. `patience_s` is how long a caller waits at most: older wishes are nobody's any more.

    Times are wall times because wishes come from other processes.
    """

    def __init__(self, *, patience_s: float, now: Callable[[], float] = time.time) -> None:
        self._patience_s = patience_s
        self._now = now
        self._entries: LRUCache[DesiredVersion, Entry] = LRUCache(VERSIONS_KEPT)

    def note_runners(self, runners: Iterable[RunnerView]) -> None:
        """Learn from what runs."""
        now = self._now()
        for runner in runners:
            entry = self._entry(runner.version)
            if runner.state is RunnerState.READY:
                entry.private_bytes = runner.private_bytes or entry.private_bytes
                entry.ready_at = now
                entry.used_at = max(entry.used_at, now - runner.idle_s)
                entry.waiting_since = 0.0
                entry.has_given_way = False

    def note_wishes(self, wishes: Wishes) -> None:
        """Learn for which versions callers wait, and since when.

        By the newest wish alone a version that is called all the time would be the last in the queue for ever.
        """
        now = self._now()
        for version in wishes.versions:
            wanted_at = wishes.wanted_at.get(version.ref, 0.0)
            entry = self._entry(version)
            if wanted_at <= entry.ready_at or now - wanted_at > self._patience_s:
                entry.waiting_since = 0.0
            elif not entry.waiting_since:
                entry.waiting_since = wanted_at

    def note_evicted(self, versions: Iterable[DesiredVersion]) -> None:
        """Remember who gave way for want of memory."""
        for version in versions:
            self._entry(version).has_given_way = True

    def has_given_way(self, version: DesiredVersion) -> bool:
        """Tell whether a version was evicted and has not been READY since."""
        return self._entry(version).has_given_way

    def prospect(self, version: DesiredVersion, wishes: Wishes, *, may_start: bool) -> Prospect:
        """Return what is known of a version that could be started."""
        entry = self._entry(version)
        return Prospect(
            may_start=may_start,
            is_new=not entry.ready_at,
            private_bytes=entry.private_bytes or RUNNER_BYTES + wishes.size_bytes.get(version.ref, 0),
            unused_s=self._now() - entry.used_at if entry.used_at else float("inf"),
            waited_s=max(0.0, self._now() - entry.waiting_since) if entry.waiting_since else None,
        )

    def _entry(self, version: DesiredVersion) -> Entry:
        if version not in self._entries:
            self._entries[version] = Entry()
        return self._entries[version]
