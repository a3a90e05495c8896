"""Inputs of jobs that the benchmarks post: rows that ask the demo recommender, few or many, thin or fat."""

import random
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tests.load.callers import ITEMS, SEED, USERS

# So many excluded items make a row of eleven kilobytes; none of them is an item of the model.
EXCLUDED = 1000
FIRST_EXCLUDED = 10**9


def write_parquet(path: Path, rows: int) -> Path:
    """Write rows of random users."""
    users = np.random.default_rng(SEED).integers(1, USERS, size=rows, endpoint=True)
    table = pa.table({"user_id": users, "k": np.full(rows, ITEMS)})
    pq.write_table(table, path)  # type: ignore[no-untyped-call]
    return path


def write_ndjson(path: Path, rows: int) -> Path:
    """Write rows of random users as bodies of the route."""
    users = random.Random(SEED).choices(range(1, USERS + 1), k=rows)
    with path.open("wb") as file:
        file.writelines(orjson.dumps({"user_id": user, "k": ITEMS}) + b"\n" for user in users)
    return path


def write_fat_ndjson(path: Path, size_bytes: int) -> Path:
    """Write rows that exclude EXCLUDED items each, until the file is as large as that."""
    excluded = list(range(FIRST_EXCLUDED, FIRST_EXCLUDED + EXCLUDED))
    with path.open("wb") as file:
        user = 0
        while file.tell() < size_bytes:
            user = user % USERS + 1
            file.write(orjson.dumps({"user_id": user, "k": ITEMS, "exclude": excluded}) + b"\n")
    return path
