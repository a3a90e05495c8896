"""Ratings for tests: from events written out, or in the files that people have them in."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workers.training.recommender_ratings import DAY_S, Ratings
from workers.training.recommender_simulation import World

TINY_WORLD = World(users=120, items=60, events=2400, days=40, groups=4)


def ratings_of(*events: tuple[int, int, float]) -> Ratings:
    """Return ratings of (user id, item id, day)."""
    users, items, days = zip(*events, strict=True)
    times = (np.array(days) * DAY_S).astype(np.int64)
    return Ratings.of(np.array(users, np.int64), np.array(items, np.int64), times)


def write_lines(path: Path, lines: Sequence[str], *, encoding: str = "utf-8") -> Path:
    """Write lines to a file and return its path."""
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    return path
