"""From a runner's rows to the answer of a classification of texts."""

from collections.abc import Sequence
from typing import Final

import msgspec

from app.errors import GalleyError
from app.scenarios.outcomes import Outcome, error_members, only_answer

_encode: Final = msgspec.json.Encoder().encode


def write_answer(outcomes: Sequence[Outcome], answered_by: bytes) -> bytes:
    """Return the answer as JSON: one result per text, in the order sent, and what answered.

    The runner's rows are JSON already and are not parsed.

    :raises GalleyError: the failure of a text that was sent alone.
    """
    if len(outcomes) == 1:
        only_answer(outcomes)

    return b'{"results":[%b],"model":%b}' % (b",".join(map(_result, outcomes)), answered_by)


def _result(outcome: Outcome) -> bytes | memoryview:
    if isinstance(outcome, GalleyError):
        return _encode({"error": error_members(outcome)})

    return outcome
