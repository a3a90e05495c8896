"""The rows that wait: bounded, two lanes, fair between clients and between their calls. Used by one thread only."""

from itertools import chain

from app.inference.messages import Lane
from workers.runner.calls import Call, Row
from workers.runner.fair_rows import FairRows

# While both lanes wait, one row in so many is of the batch lane: it is slow then, but never starves.
BATCH_SHARE = 8


class RowQueue:
    """Waiting rows by lane. Within a lane clients take turns row by row, so one with thousands holds up nobody else.

    The calls of a client take turns as well, so one of 32 rows does not hold up one of 1.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._lanes = {lane: FairRows() for lane in Lane}
        self._interactive, self._batch = self._lanes[Lane.INTERACTIVE], self._lanes[Lane.BATCH]
        self._since_batch = 0

    def __len__(self) -> int:
        return len(self._interactive) + len(self._batch)

    @property
    def size_bytes(self) -> int:
        """Bytes of all rows that wait."""
        return self._interactive.size_bytes + self._batch.size_bytes

    @property
    def client_count(self) -> int:
        """How many clients wait; one with rows in both lanes counts in each."""
        return self._interactive.client_count + self._batch.client_count

    def held(self, call: Call) -> tuple[int, int]:
        """Return how many rows of the same client wait in a call's lane, and their bytes."""
        return self._lanes[call.lane].held(call.client_id)

    def ahead(self, call: Call) -> int:
        """Return how many rows are served before those of a new call, about."""
        in_lane = self._lanes[call.lane].ahead(call.client_id)
        return in_lane + len(self._interactive) if call.lane is Lane.BATCH else in_lane

    def put(self, call: Call, now: float) -> None:
        """Let all rows of a call wait."""
        for row in call.rows:
            row.queued_at = now
        self._lanes[call.lane].add(call)

    def take(self, limit: int) -> list[Row]:
        """Remove and return the next rows, at most `limit`."""
        return [self._next_lane().take() for _ in range(min(limit, len(self)))]

    def remove_expired(self, now: float) -> list[Call]:
        """Remove and return the calls whose deadline has passed."""
        return list(chain.from_iterable(lane.remove_expired(now) for lane in self._lanes.values()))

    def remove_all(self) -> list[Call]:
        """Remove and return every call."""
        return self.remove_expired(float("inf"))

    def _next_lane(self) -> FairRows:
        if not self._batch:
            return self._interactive
        if not self._interactive or self._since_batch >= BATCH_SHARE - 1:
            self._since_batch = 0
            return self._batch

        self._since_batch += 1
        return self._interactive
