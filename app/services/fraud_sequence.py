"""The sequence that a payment goes on with: its account's, over HTTP and over sockets the same."""

from typing import Final

from app.inference.messages import SequenceCall
from app.scenarios.fraud_events import FraudEvent

# The longest window is seven days. An account that is silent for longer begins anew, with all that is known of it.
ACCOUNT_KEEP_S: Final = 8 * 86_400
# An `event_id` that is sent again within this time gets its first answer.
ANSWER_KEEP_S: Final = 86_400


def sequence_of(event: FraudEvent, *, mark_key: str = "", mark_number: int = 0, mark_keep_s: int = 0) -> SequenceCall:
    """Return the sequence of an event's account, which the event moves once, however often and wherever it is sent.

    `mark_key` is set to `mark_number` with the move, for `mark_keep_s`: how far a socket's session has come.
    """
    return SequenceCall(
        key=event.account_id,
        keep_s=ACCOUNT_KEEP_S,
        event=event.event_id,
        answer_keep_s=ANSWER_KEEP_S,
        mark=mark_key,
        mark_number=mark_number,
        mark_keep_s=mark_keep_s,
    )
