"""The rows that wait: bounded, two lanes, fair between calls. Used by one thread only."""

from collections import deque

from app.inference.messages import Lane
from workers.runner.calls import Call, Row

# While both lanes wait, one row in so many is of the batch lane: it is slow then, but never starves.
BATCH_SHARE = 8


class RowQueue:
    """Waiting rows by lane. Calls of a lane take turns row by row, so one of 32 rows does not hold up one of 1."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._calls: dict[Lane, deque[deque[Row]]] = {lane: deque() for lane in Lane}
        self._rows = dict.fromkeys(Lane, 0)
        self.size_bytes = 0
        self._since_batch = 0

    def __len__(self) -> int:
        return sum(self._rows.values())

    def put(self, call: Call, now: float) -> None:
        """Let all rows of a call wait."""
        for row in call.rows:
            row.queued_at = now
            self.size_bytes += row.size_bytes
        self._calls[call.lane].append(deque(call.rows))
        self._rows[call.lane] += len(call.rows)

    def ahead(self, lane: Lane) -> int:
        """Return how many rows are served before a new one of `lane`, about."""
        return len(self) if lane is Lane.BATCH else self._rows[Lane.INTERACTIVE]

    def take(self, limit: int) -> list[Row]:
        """Remove and return the next rows, at most `limit`."""
        rows: list[Row] = []
        while len(rows) < limit and len(self):
            rows.append(self._next(self._next_lane()))
        return rows

    def remove_expired(self, now: float) -> list[Call]:
        """Remove and return the calls whose deadline has passed."""
        expired: list[Call] = []
        for lane, calls in self._calls.items():
            late = [rows for rows in calls if rows[0].call.deadline <= now]
            if late:
                self._calls[lane] = deque(rows for rows in calls if rows[0].call.deadline > now)
                self._rows[lane] -= sum(map(len, late))
                self.size_bytes -= sum(row.size_bytes for rows in late for row in rows)
                expired.extend(rows[0].call for rows in late)
        return expired

    def remove_all(self) -> list[Call]:
        """Remove and return every call."""
        return self.remove_expired(float("inf"))

    def _next_lane(self) -> Lane:
        if not self._rows[Lane.BATCH]:
            return Lane.INTERACTIVE
        if not self._rows[Lane.INTERACTIVE] or self._since_batch >= BATCH_SHARE - 1:
            self._since_batch = 0
            return Lane.BATCH

        self._since_batch += 1
        return Lane.INTERACTIVE

    def _next(self, lane: Lane) -> Row:
        calls = self._calls[lane]
        rows = calls.popleft()
        row = rows.popleft()
        self._rows[lane] -= 1
        self.size_bytes -= row.size_bytes
        if rows:
            calls.append(rows)
        return row
