"""Where flask-limiter counts: in the windows that all limits of Galley share."""

import time
from typing import Any, Final

from flask import g
from limits.storage import Storage

from app.infra.rate_limit import FallbackWindows

_SEEN: Final = "galley_seen_windows"


class WindowStorage(Storage):
    """Galley's windows as a storage of the library `limits`, named by the URI `galley://`.

    Not the library's own RedisStorage with flask-limiter's fallback: while Redis hangs, a request waits for a hit and
    then for a ping (1.0 s at a timeout of 0.5 s), and one key of another type moves all limits into memory. These
    windows wait once, mend the key and never fail.

    A window is what its last hit said for the rest of a request: the library asks twice more, to tell the caller.
    """

    STORAGE_SCHEME = ["galley"]  # noqa: RUF012 - the base class declares it as an instance's

    def __init__(self, uri: str, *, windows: FallbackWindows, **options: Any) -> None:
        super().__init__(uri, **options)
        self._windows = windows

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """Return what counting may raise: nothing."""
        return ()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count `amount` hits in a window of `expiry` seconds and return how many there are."""
        count, _ = self._add(key, amount, expiry)
        return count

    def get(self, key: str) -> int:
        """Return how many hits the running window has."""
        count, _ = self._look(key)
        return count

    def get_expiry(self, key: str) -> float:
        """Return when the running window ends, in seconds since the epoch."""
        _, ends_at = self._look(key)
        return ends_at

    def check(self) -> bool:
        """Say that it can count: it always can, be it for this process alone."""
        return True

    def reset(self) -> int | None:
        """Refuse: Galley ends no window before its time."""
        raise NotImplementedError

    def clear(self, key: str) -> None:
        """Refuse: Galley ends no window before its time."""
        raise NotImplementedError

    def _look(self, key: str) -> tuple[int, float]:
        seen: tuple[int, float] | None = _seen().get(key)
        return seen or self._add(key, 0, 0)

    def _add(self, key: str, hits: int, window_s: int) -> tuple[int, float]:
        """Return how many hits there are now, and when their window ends."""
        window = self._windows.add(key, hits, window_s)
        seen = _seen()[key] = window.count, time.time() + window.reset_after_s
        return seen


def _seen() -> dict[str, tuple[int, float]]:
    """Return the windows that the current request has seen, by key."""
    seen: dict[str, tuple[int, float]] = g.setdefault(_SEEN, {})
    return seen
