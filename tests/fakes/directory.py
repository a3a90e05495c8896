"""A directory whose content the test sets."""

import time
from collections.abc import Collection

from app.inference.directory import EMPTY_DIRECTORY, DirectorySnapshot, RunnerRecord
from app.inference.directory_reader import DirectoryReader
from model_store.model_ref import ModelRef


class FakeDirectory(DirectoryReader):
    """A DirectoryReader that follows nobody. `waiting_brings` is what appears while someone waits."""

    def __init__(self, *records: RunnerRecord) -> None:
        self._snapshot = EMPTY_DIRECTORY
        self.waiting_brings: list[RunnerRecord] | None = None
        self.wanted: list[ModelRef] = []
        self.show(*records)

    def show(self, *records: RunnerRecord) -> None:
        """Publish these runners."""
        self._snapshot = DirectorySnapshot(published_at=time.time(), controller_pid=1, runners=list(records))

    def want(self, ref: ModelRef) -> None:
        """Remember the wish."""
        self.wanted.append(ref)

    def wait_ready(self, ref: ModelRef, deadline: float, *, excluding: Collection[str] = ()) -> list[RunnerRecord]:
        """Return at once, with what waiting brings."""
        if self.waiting_brings is not None:
            self.show(*self.waiting_brings)
        return self.ready(ref, excluding=excluding)
