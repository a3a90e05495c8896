"""Where flask-limiter counts: in the windows that all limits of Galley share."""

import time
from typing import Any

from limits.storage import Storage

from app.infra.rate_limit import FallbackWindows, Window


class WindowStorage(Storage):
    """Galley's windows as a storage of the library `limits`, named by the URI `galley://`.

    Not the library's own RedisStorage with flask-limiter's fallback: while Redis hangs, a request waits for a hit and
    then for a ping (1.0 s at a timeout of 0.5 s), and one key of another type moves all limits into memory. These
    windows wait once, mend the key and never fail.
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
        return self._windows.add(key, amount, expiry).count

    def get(self, key: str) -> int:
        """Return how many hits the running window has."""
        return self._look(key).count

    def get_expiry(self, key: str) -> float:
        """Return when the running window ends, in seconds since the epoch."""
        return time.time() + self._look(key).reset_after_s

    def check(self) -> bool:
        """Say that it can count: it always can, be it for this process alone."""
        return True

    def reset(self) -> int | None:
        """Refuse: Galley ends no window before its time."""
        raise NotImplementedError

    def clear(self, key: str) -> None:
        """Refuse: Galley ends no window before its time."""
        raise NotImplementedError

    def _look(self, key: str) -> Window:
        return self._windows.add(key, 0, window_s=0)
