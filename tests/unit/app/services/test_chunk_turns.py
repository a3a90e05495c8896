"""Clients take turns, then the jobs of one, however much each has."""

from datetime import UTC, datetime, timedelta

import pytest

from app.db.repositories.job_chunks import JobQueued
from app.services.chunk_turns import next_chunk

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def job(
    name: str,
    client_id: str,
    *,
    running: int = 0,
    served_s: float | None = None,
    age_s: float = 0,
    chunk: int | None = 7,
) -> JobQueued:
    """A job that was served and created so many seconds ago."""
    return JobQueued(
        job_id=name,
        client_id=client_id,
        next_chunk=chunk,
        running=running,
        served_at=None if served_s is None else NOW - timedelta(seconds=served_s),
        created_at=NOW - timedelta(seconds=age_s),
    )


@pytest.mark.parametrize(
    ("waiting", "following"),
    [
        ([], None),
        ([job("a", "one", chunk=None)], None),
        ([job("a", "one"), job("b", "two")], "a"),
        ([job("a", "one"), job("b", "two", age_s=9)], "b"),
        ([job("a", "one", age_s=1), job("b", "two", served_s=2, age_s=99)], "b"),
        ([job("a", "one", age_s=3), job("b", "two", served_s=2, age_s=99)], "a"),
        ([job("a", "one", running=2), job("b", "two", running=1)], "b"),
        ([job("a", "one", running=1, chunk=None), job("a2", "one"), job("b", "two")], "b"),
        ([job("a", "one", served_s=1), job("b", "two", served_s=2)], "b"),
        ([job("a", "one", served_s=2), job("a2", "one", served_s=0.5), job("b", "two", served_s=1)], "b"),
        ([job("a", "one", running=1), job("a2", "one")], "a2"),
        ([job("a", "one", served_s=1), job("a2", "one", served_s=5)], "a2"),
        ([job("a", "one", age_s=1), job("a2", "one", age_s=5)], "a2"),
    ],
    ids=[
        "nothing waits",
        "all chunks are held",
        "never served, both new: by name",
        "never served: who posted first",
        "new since the other was served",
        "waits since before the other was served",
        "client with less in work",
        "client with less in all of its jobs",
        "client served longer ago",
        "client none of whose jobs was served since",
        "job with less in work",
        "job served longer ago",
        "job that is older",
    ],
)
def test_next_is_whose_turn_it_is(waiting: list[JobQueued], following: str | None) -> None:
    expected = None if following is None else (following, 7)

    assert next_chunk(waiting) == next_chunk(waiting[::-1]) == expected


def test_a_stream_of_small_jobs_starves_no_long_one() -> None:
    """One worker; a client posts a job of one chunk as soon as its last one is taken."""
    taken: list[str] = []
    small, long = job("small", "a", age_s=1000), job("long", "b", served_s=1000, age_s=2000)
    for turn in range(100):
        name, _ = next_chunk([small, long]) or ("", 0)
        taken.append(name)
        if name == "small":
            small = job("small", "a", age_s=999 - turn)
        else:
            long = job("long", "b", served_s=999 - turn, age_s=2000)

    assert taken == ["small", "long"] * 50
