"""Calls whose answers are kept, and a model that says what it was asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.inference.answer_cache import AnswerCache
from app.inference.cache import CachedCall
from app.inference.cache_local import LocalCache
from app.inference.cache_shared import SharedCache
from app.inference.cache_tiers import CacheTiers
from app.inference.client import InferAnswer
from app.inference.messages import Row, RowFailure
from model_store.model_ref import ModelRef
from tests.fakes.clock import FakeClock
from tests.fakes.inference import make_record

REF = ModelRef("digits", 1)
BAD_ROW = b"bad"


def make_call(*rows: Row, **changes: Any) -> CachedCall:
    """Return a call of `digits/1` at the beginning of a fake clock, with `changes` made."""
    fields: dict[str, Any] = {"ref": REF, "digest": "d" * 64, "rows": rows, "ttl_s": 60.0, "deadline": 5.0}
    return CachedCall(**{**fields, **changes})


def make_cache(clock: FakeClock, *, shared: SharedCache | None = None, limit_bytes: int = 2**20) -> AnswerCache:
    """Return a cache of this process alone, unless it is given what it shares."""
    return AnswerCache(CacheTiers(LocalCache(limit_bytes), shared or SharedCache(None), clock.clock()))


def nothing() -> None:
    """Do nothing."""


@dataclass
class AskedModel:
    """Answers each row with the row and the number of the call, and remembers its calls. BAD_ROW fails alone.

    `before` runs first in each call: it may switch to others, or raise.
    """

    before: Callable[[], object] = nothing
    calls: list[list[Row]] = field(default_factory=list)

    def __call__(self, rows: Sequence[Row]) -> InferAnswer:
        """Answer."""
        self.calls.append(list(rows))
        number = len(self.calls)
        self.before()
        return InferAnswer(
            rows=[self._row(index, row, number) for index, row in enumerate(rows)],
            queue_s=0.25,
            compute_s=0.5,
            runner=make_record(REF),
        )

    def _row(self, index: int, row: Row, number: int) -> bytes | RowFailure:
        if row == BAD_ROW:
            return RowFailure(row=index, code="unreadable_image", detail="It is truncated.")

        return b"%b by call %d" % (bytes(row), number)
