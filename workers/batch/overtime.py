"""What is done when the soft time limit strikes, and only has to be recorded."""

from collections.abc import Callable
from typing import TypeVar

from celery.exceptions import SoftTimeLimitExceeded

from app.services.recording import recorded

T = TypeVar("T")


def recorded_in_overtime(record: Callable[[], T], *, what: str) -> T:
    """Do as `recorded`, and go on when the soft time limit strikes: this takes seconds, and the hard limit bounds it.

    :raises DatabaseUnavailable: when SQL does not answer for longer.
    """
    try:
        return recorded(record, what=what)
    except SoftTimeLimitExceeded:
        return recorded(record, what=what)
