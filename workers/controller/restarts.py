"""When a version whose runner ended may be started again: at once the first time, then later and later."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.services.catalog import DesiredVersion

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 60.0
# A runner that served for so long was fine: its end starts a new count.
STABLE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How often in a row a version's runners ended by themselves, why the last one did, and when to try again."""

    count: int
    reason: str
    retry_at: float


class Restarts:
    """Remembers failures per version. `clock` is monotonic; `spread` returns a factor from 0 to 1."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, spread: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._spread = spread
        self._failures: dict[DesiredVersion, Failure] = {}

    def note_end(self, version: DesiredVersion, reason: str, *, served_s: float) -> Failure:
        """Count an end nobody asked for. `served_s` is how long the runner was READY, 0 if it never was.

        A runner that served is replaced at once the first time. One that could not even load would most likely
        fail again, so its first retry waits.
        """
        before = self._failures.get(version)
        count = 1 if before is None or served_s >= STABLE_S else before.count + 1
        retries_waited = count - 1 if served_s > 0 else count
        failure = Failure(count=count, reason=reason, retry_at=self._clock() + self._delay_s(retries_waited))
        self._failures[version] = failure
        return failure

    def may_start(self, version: DesiredVersion) -> bool:
        """Tell whether a version's waiting time is over."""
        failure = self._failures.get(version)
        return failure is None or self._clock() >= failure.retry_at

    def reason(self, version: DesiredVersion) -> str:
        """Return why the version's last runner ended; empty when none did."""
        failure = self._failures.get(version)
        return "" if failure is None else failure.reason

    def keep(self, versions: set[DesiredVersion]) -> None:
        """Forget all versions but these."""
        self._failures = {version: failure for version, failure in self._failures.items() if version in versions}

    def _delay_s(self, waits: int) -> float:
        if waits == 0:
            return 0.0

        # Half of it by chance: versions that failed together do not come back together.
        delay_s = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** (waits - 1))
        return delay_s * (0.5 + 0.5 * self._spread())
