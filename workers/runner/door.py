"""Which calls a runner takes in: there must be room for the client's rows, and time until their deadline."""

from typing import Final

from msgspec import Struct

from app.errors import DeadlineExceeded
from app.inference.fair_share import Claim, no_room
from workers.runner.calls import Call
from workers.runner.row_queue import RowQueue

# Bytes of rows that wait or are being computed; as many again are kept for clients that have few. Decoded, they take
# about as much again.
MAX_HELD_BYTES: Final = 2**27


class InHand(Struct, frozen=True):
    """Rows that wait no more and are not answered yet, and what a row costs at present."""

    rows: int
    size_bytes: int
    row_cost_s: float


def check_room(call: Call, queue: RowQueue, in_hand: InHand, now: float) -> None:
    """Return if a call may wait in the queue.

    :raises DeadlineExceeded: when nobody waits for it any more.
    :raises ShareExceeded: when its client has its share of the queue, and others wait, too.
    :raises QueueFull: when there is no room for anybody, or too much ahead of it to make the deadline.
    """
    if call.deadline <= now:
        raise DeadlineExceeded(0.0)

    held_rows, held_bytes = queue.held(call)
    clients = queue.client_count + (held_rows == 0)
    rows = Claim(held_rows, len(call.rows), len(queue), clients)
    rows.check_queue(queue.capacity, in_hand.row_cost_s)
    _check_bytes(Claim(held_bytes, call.size_bytes, queue.size_bytes + in_hand.size_bytes, clients), queue, in_hand)
    ahead, left_s = queue.ahead(call), call.deadline - now
    rows.check_deadline(ahead, in_hand.rows, row_cost_s=in_hand.row_cost_s, left_s=left_s)


def _check_bytes(claim: Claim, queue: RowQueue, in_hand: InHand) -> None:
    # Alone, a call may be of any size that the web tier lets in.
    if claim.total and not claim.fits(MAX_HELD_BYTES):
        retry_after_s = (len(queue) + in_hand.rows) * in_hand.row_cost_s
        raise no_room("The model's queue holds too many bytes.", retry_after_s, is_own=claim.is_own_excess)
