"""Whether the beat of a Celery worker, a process of its own that nobody else watches, still sends."""

from ctypes import c_uint64
from multiprocessing.sharedctypes import RawValue
from typing import Any


class BeatPulse:
    """Counts what beat sends, in memory that its process shares with the worker's main one. Made before they part.

    It has no lock: beat alone writes, one word at a time.
    """

    def __init__(self) -> None:
        self._sent = RawValue(c_uint64)

    @property
    def count(self) -> int:
        """How many messages beat has sent."""
        return int(self._sent.value)

    def note(self, **_: Any) -> None:
        """Count one; Celery's signal of it."""
        self._sent.value += 1
