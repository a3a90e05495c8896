"""Answers kept for a while: what a request wants of them, and what became of it."""

import enum
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from app.inference.client import InferAnswer
from app.inference.messages import Form, Row, RowFailure
from model_store.model_ref import ModelRef

ReadShared = Callable[[Sequence[str]], Sequence[bytes | None]]
"""Reads keys from the cache that all processes share, in one trip; None for each that is not there.

It is called once for a request as a rule, again where one that was waited for got nothing, and not at all where the
process knows every row itself.
"""

AskModel = Callable[[Sequence[Row]], InferAnswer]
"""Asks a runner for these rows, within the request's deadline; raises what the caller of the cache is to see."""


class CacheUse(enum.Enum):
    """What a request wants of the cache."""

    OFF = "off"
    """Neither read nor write it."""
    USE = "use"
    """Read it, and write what it lacks."""
    BYPASS = "bypass"
    """Do not read it, but write the fresh answer."""


class CacheOutcome(enum.StrEnum):
    """What the cache had: every row of a request, not every one, or it was not asked. Written into `X-Cache`."""

    HIT = "hit"
    MISS = "miss"
    BYPASS = "bypass"


class CacheDirectives(Struct, frozen=True):
    """What a caller says of kept answers: how to use them, how old they may be, whether only they will do."""

    use: CacheUse = CacheUse.USE
    max_age_s: float = math.inf
    is_only_if_cached: bool = False


USE_CACHE: Final = CacheDirectives()
NO_CACHE: Final = CacheDirectives(CacheUse.OFF)


class CachedCall(Struct, frozen=True, kw_only=True):
    """One call of a version whose answers may be kept for `ttl_s` seconds; `deadline` is monotonic.

    `client_id` is set only where answers differ by client. What decides an answer is here, and nothing else is.
    """

    ref: ModelRef
    digest: str
    rows: Sequence[Row]
    ttl_s: float
    deadline: float
    form: Form = Form.SCENARIO
    parameters: Mapping[str, Any] = {}
    client_id: str = ""
    directives: CacheDirectives = USE_CACHE
    read_shared: ReadShared | None = None


class CacheAnswer(Struct, frozen=True):
    """One entry per row, in the order asked, and where they come from. Times in seconds, 0 where nobody was asked.

    `age_s` is that of the oldest entry that came from the cache.
    """

    rows: Sequence[bytes | memoryview | RowFailure]
    outcome: CacheOutcome
    age_s: float = 0.0
    queue_s: float = 0.0
    compute_s: float = 0.0


class Kept(Struct, frozen=True, gc=False):
    """One row's answer, when it was computed, and when it is to be forgotten (both monotonic seconds)."""

    frame: bytes | memoryview
    born_at: float
    expires_at: float
