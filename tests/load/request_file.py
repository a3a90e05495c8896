"""The file of requests that a generator sends, and who is asked for in it."""

import itertools
import random
import struct
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def request_file(requests: Iterable[bytes]) -> Iterator[Path]:
    """Write whole requests in this order, each behind its length; the file is gone after the block."""
    with tempfile.NamedTemporaryFile(prefix="galley-requests-") as file:
        for request in requests:
            file.write(struct.pack("<I", len(request)) + request)
        file.flush()
        yield Path(file.name)


def zipf_draws(population: int, count: int, *, seed: int, exponent: float = 1.0) -> list[int]:
    """Draw `count` of the numbers 1 … `population`; the one of rank r comes with a weight of 1 / r ** exponent.

    Who has which rank is drawn as well, or the popular would also have the lowest numbers.
    """
    generator = random.Random(seed)
    members = generator.sample(range(1, population + 1), population)
    weights = itertools.accumulate(1 / rank**exponent for rank in range(1, population + 1))
    return generator.choices(members, cum_weights=list(weights), k=count)
