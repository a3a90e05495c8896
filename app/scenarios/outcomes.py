"""What became of the rows that a runner was given, whoever gave them."""

from collections.abc import Sequence
from typing import Final

import msgspec

from app.errors import GalleyError

_encode: Final = msgspec.json.Encoder().encode

Outcome = bytes | memoryview | GalleyError
"""A row's answer, or why it has none."""


def only_answer(outcomes: Sequence[Outcome]) -> bytes | memoryview:
    """Return the answer of a row that was asked alone.

    :raises GalleyError: its error, where it has none.
    """
    (outcome,) = outcomes
    if isinstance(outcome, GalleyError):
        raise outcome

    return outcome


def error_members(error: GalleyError) -> dict[str, str]:
    """Return what stands in an answer for a row without one, among others that have theirs."""
    return {"code": error.code, "detail": error.detail}


def write_answered_by(name: str, version: int, variant: str | None) -> bytes:
    """Return as JSON which model answered: the member `model` of an answer."""
    return _encode({"name": name, "version": version, "variant": variant})
