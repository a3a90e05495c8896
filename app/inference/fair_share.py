"""Who is let in when there is not room for all: one rule, for requests in a web worker and for rows in a runner."""

from typing import Final

from msgspec import Struct

from app.errors import QueueFull, ShareExceeded

# Times the capacity that all together may hold. What is above it is kept for those that hold little, so that nobody
# who fills the room can keep others out.
RESERVE: Final = 2
_SOONEST_RETRY_S: Final = 0.1


class Claim(Struct, frozen=True):
    """A client that asks for places."""

    held: int
    """Places that it holds."""
    asked: int
    total: int
    """Places that all together hold."""
    clients: int
    """How many hold some, the one that asks included."""

    @property
    def is_own_excess(self) -> bool:
        """Whether it has to wait for itself: it holds places, and others do as well and are served."""
        return self.held > 0 and self.clients > 1

    def fits(self, capacity: int) -> bool:
        """Say whether it gets the places.

        Up to `capacity` places go to whoever comes first. Then as many again go to those who hold nothing yet, or stay
        within an equal share of `capacity`.
        """
        if self.total + self.asked <= capacity:
            return True

        is_modest = self.held == 0 or (self.held + self.asked) * self.clients <= capacity
        return is_modest and self.asked <= capacity and self.total + self.asked <= RESERVE * capacity

    def check_queue(self, capacity: int, row_cost_s: float) -> None:
        """Return if its rows fit into a model's queue.

        :raises ShareExceeded: when it has its share of the queue, and others wait, too.
        :raises QueueFull: when there is no room for anybody.
        """
        if not self.fits(capacity):
            retry_after_s = (self.total + self.asked - capacity) * row_cost_s
            raise no_room("The model's queue is full.", retry_after_s, is_own=self.is_own_excess)

    def check_deadline(self, ahead: int, computing: int, *, row_cost_s: float, left_s: float) -> None:
        """Return if its rows can be answered in time, with so many rows ahead of them and so many being computed.

        Only what is ahead speaks against a call: the measured cost may be wrong for its own rows.

        :raises ShareExceeded: when its own rows are what makes it late.
        :raises QueueFull: when anybody would be late.
        """
        late_s = (ahead + computing) * row_cost_s - left_s
        if late_s > 0:
            is_own = self.is_own_excess and (self.clients + computing) * row_cost_s <= left_s
            raise no_room("The model's queue is too long to answer before the deadline.", late_s, is_own=is_own)


def no_room(detail: str, retry_after_s: float, *, is_own: bool) -> QueueFull | ShareExceeded:
    """Return the refusal of who finds no room; `is_own` where its own requests are the reason."""
    retry_after_s = max(_SOONEST_RETRY_S, retry_after_s)
    if is_own:
        return ShareExceeded(f"{detail} Your own requests have their share of it.", retry_after_s=retry_after_s)

    return QueueFull(detail, retry_after_s=retry_after_s)
