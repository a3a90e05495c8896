"""What was worked out is recorded in SQL, though SQL may not answer at once."""

import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from app.errors import DatabaseUnavailable

T = TypeVar("T")

logger = logging.getLogger(__name__)

PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""What is done is worth more than one failed call of SQL, as long as a lease lasts."""


def recorded(record: Callable[[], T], *, what: str) -> T:
    """Return what `record` returns, which is called again when SQL did not answer. Blocks for some seconds at most.

    It has to bear that: a call that was not answered may have been heard.

    :raises DatabaseUnavailable: when SQL does not answer for longer.
    """
    for pause_s in PAUSES_S:
        try:
            return record()
        except DatabaseUnavailable as err:
            logger.warning("%s could not be recorded yet: %s", what, err.detail)
            time.sleep(pause_s)
    return record()
