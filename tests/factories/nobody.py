"""This process as a user without rights, for a block; root comes back behind it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

NOBODY: Final = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be nobody for the length of the block, where this process is root's; it is without rights anyway elsewhere.

    What the block imports for the first time may lie where nobody can read: import it before.
    """
    if os.geteuid() != 0:
        yield
        return

    groups = os.getgroups()
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, 0)
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)
