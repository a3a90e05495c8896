"""How much memory a chunk may take: a model that takes more fails, instead of the machine."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def memory_cap(limit_bytes: int) -> Iterator[None]:
    """Bound what this process allocates during the block; further allocations fail, as on a machine without memory.

    It bounds private writable memory (RLIMIT_DATA), not address space: torch maps far more of that than it uses.
    The limit is the process's: only one block at a time. 0 is without a limit.
    """
    if not limit_bytes:
        yield
        return

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    # The soft one alone, which may be raised again: what the process starts later (a verification) has limits of its
    # own.
    lowest = min((limit for limit in (soft, hard, limit_bytes) if limit != resource.RLIM_INFINITY), default=limit_bytes)
    resource.setrlimit(resource.RLIMIT_DATA, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
