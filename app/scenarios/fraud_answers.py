"""What is said of a payment: a runner's answer to one event, and the answer of the request that brought it."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from msgspec import Struct

from app.scenarios.outcomes import write_answered_by

Decision = Literal["approve", "review", "decline"]

SCORE_DIGITS: Final = 6
"""To how many places a score is rounded before it is decided, and told."""

# A group of features that moves a score by less than this, in logits, is no reason.
LEAST_EFFECT: Final = 0.25
MOST_REASONS: Final = 3


class Reason(Struct, frozen=True):
    """A group of features that moved a score up, and by how much, in logits."""

    feature: str
    effect: float


class FraudScore(Struct, frozen=True):
    """How likely an event is fraud, from 0 to 1, what to do about it, and why: the strongest reason first."""

    score: float
    decision: Decision
    reasons: list[Reason]


class _Named(Struct, frozen=True):
    name: str


_encode: Final = msgspec.json.Encoder().encode
_decode_name: Final = msgspec.json.Decoder(_Named).decode
# No text in JSON holds it, for quotes in texts are escaped.
_GIVEN_BY: Final = b',"version":'
encode_score: Final = _encode


def decide(score: float, *, review_at: float, decline_at: float) -> Decision:
    """Return what to do about an event of this score."""
    if score >= decline_at:
        return "decline"

    return "review" if score >= review_at else "approve"


def strongest(features: Sequence[str], effects: Sequence[float]) -> list[Reason]:
    """Return the features that moved a score up, falling; `effects` are theirs, in the same order."""
    moved = [(effect, place) for place, effect in enumerate(effects) if effect >= LEAST_EFFECT]
    moved.sort(key=lambda pair: (-pair[0], pair[1]))
    return [Reason(features[place], round(effect, 3)) for effect, place in moved[:MOST_REASONS]]


def answer_of(version: int, answer: bytes) -> bytes:
    """Return the answer that a version gave to an event which came again, and meets another: it says so itself."""
    return b"%b%b%d}" % (answer[:-1], _GIVEN_BY, version)


def write_answer(event_id: str, answer: bytes | memoryview, answered_by: bytes) -> bytes:
    """Return the answer of a request as JSON: what the runner said, which is JSON already, and what answered.

    That is `answered_by`, but for an answer that another version gave. Which variant it was then is not known.
    """
    said = bytes(answer[1:-1])
    if _GIVEN_BY in said:
        said, _, version = said.rpartition(_GIVEN_BY)
        answered_by = write_answered_by(_decode_name(answered_by).name, int(version), None)
    return b'{"event_id":%b,%b,"model":%b}' % (_encode(event_id), said, answered_by)
