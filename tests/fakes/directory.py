"""A directory whose content the test sets."""

import time
from collections.abc import Collection, Sequence

from cachetools import LRUCache

from app.inference.directory import EMPTY_DIRECTORY, DirectorySnapshot, HeldBack, RunnerRecord
from app.inference.directory_reader import LOADS_KEPT, DirectoryReader
from model_store.model_ref import ModelRef


class FakeDirectory(DirectoryReader):
    """A DirectoryReader that follows nobody. `waiting_brings` is what appears while someone waits."""

    def __init__(self, *records: RunnerRecord) -> None:
        self._snapshot = EMPTY_DIRECTORY
        self._load_s = LRUCache(LOADS_KEPT)
        self.waiting_brings: list[RunnerRecord] | None = None
        self.wanted: list[ModelRef] = []
        self.show(*records)

    def show(self, *records: RunnerRecord, held_back: Sequence[HeldBack] = ()) -> None:
        """Publish these runners, and what is held back."""
        self._snapshot = DirectorySnapshot(
            published_at=time.time(), controller_pid=1, runners=list(records), held_back=list(held_back)
        )
        self._load_s.update({(record.name, record.version): record.load_s for record in records if record.load_s})

    def lose(self) -> None:
        """Know nothing, as before the first snapshot was read."""
        self._snapshot = EMPTY_DIRECTORY

    def want(self, ref: ModelRef, *, is_pressing: bool = False) -> None:
        """Remember the wish."""
        self.wanted.append(ref)

    def wait_ready(self, ref: ModelRef, deadline: float, *, excluding: Collection[str] = ()) -> list[RunnerRecord]:
        """Return at once, with what waiting brings."""
        if self.waiting_brings is not None:
            self.show(*self.waiting_brings)
        return self.ready(ref, excluding=excluding)

    def wait_unready(self, ref: ModelRef, deadline: float) -> bool:
        """Return at once."""
        return not self.ready(ref)
