"""How many descriptors this process may have open: one for each connection, and for each file."""

import resource
from typing import Final

WANTED: Final = 65_536


def allow_descriptors() -> int:
    """Take as many as the machine lets us have, up to WANTED; return how many that are. Children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft = allowed
    return soft
