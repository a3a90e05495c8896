"""What a call may expect of a runner, before it is sent: what waits there, and what that means for who asks."""

from typing import Final

from app.inference.directory import RunnerRecord
from app.inference.fair_share import Claim
from app.inference.messages import Lane, RunnerLoad

# How long a runner's last word counts; after that the directory knows better.
FRESH_S: Final = 1.0
_NOTHING: Final = RunnerLoad(queued_rows=0, computing_rows=0, clients=0, row_cost_s=0.0)
_NEVER: Final = float("-inf")

Holder = tuple[str, Lane]
"""A client's rows of one lane: its jobs do not speak against its callers."""


class Outlook:
    """One runner as this process sees it: the runner's last word, corrected by what was sent and answered since.

    It refuses only what the runner would refuse as well, and spares both the way. Plain counters of one gevent hub.
    """

    def __init__(self) -> None:
        self.rows_in_flight = 0
        self._rows_of: dict[Holder, int] = {}
        self._load = _NOTHING
        self._told_at = _NEVER
        self._rows_of_others = 0

    def sent(self, holder: Holder, rows: int) -> None:
        """Count rows that are on their way."""
        self.rows_in_flight += rows
        self._rows_of[holder] = self._rows_of.get(holder, 0) + rows

    def ended(self, holder: Holder, rows: int) -> None:
        """Count rows as answered, or given up."""
        self.rows_in_flight -= rows
        left = self._rows_of.get(holder, 0) - rows
        if left > 0:
            self._rows_of[holder] = left
        else:
            # A call without rows may have been ended after all others.
            self._rows_of.pop(holder, None)

    def told(self, load: RunnerLoad, now: float) -> None:
        """Take the runner's word on how busy it is, which came with an answer; call it after `ended`."""
        self._load = load
        self._told_at = now
        self._rows_of_others = max(0, load.queued_rows + load.computing_rows - self.rows_in_flight)

    def waiting_rows(self, record: RunnerRecord, now: float) -> int:
        """Return how many rows are there or on their way, of all processes."""
        if self._is_fresh(now):
            return self._rows_of_others + self.rows_in_flight

        return max(record.queued_rows, self.rows_in_flight)

    def check(self, record: RunnerRecord, holder: Holder, rows: int, *, deadline: float, now: float) -> None:
        """Return if a call of so many rows may be sent.

        :raises ShareExceeded: when its client has its share of the queue, and others wait, too.
        :raises QueueFull: when there is no room for anybody, or too much ahead of it to make the deadline.
        """
        if not record.capacity_rows:
            return

        is_fresh = self._is_fresh(now)
        load = self._load if is_fresh else _NOTHING
        row_cost_s = load.row_cost_s if is_fresh else _row_cost_s(record)
        queued = max(0, self.waiting_rows(record, now) - load.computing_rows)
        held = self._rows_of.get(holder, 0)
        claim = Claim(held, rows, queued, max(load.clients, len(self._rows_of)) + (held == 0))
        claim.check_queue(record.capacity_rows, row_cost_s)
        # Clients take turns: nobody waits for more rows of each than it has itself.
        ahead = min(queued, (held + 1) * claim.clients)
        claim.check_deadline(ahead, load.computing_rows, row_cost_s=row_cost_s, left_s=deadline - now)

    def _is_fresh(self, now: float) -> bool:
        return now - self._told_at < FRESH_S


def _row_cost_s(record: RunnerRecord) -> float:
    return 1.0 / record.rows_per_s if record.rows_per_s else 0.0
