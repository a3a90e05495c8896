"""What is counted of chunks; how many wait is asked of SQL and the broker when somebody wants to know."""

from typing import Final

from prometheus_client import Counter, Histogram

_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)

CHUNK_SECONDS = Histogram(
    "galley_job_chunk_seconds", "Seconds from when a chunk was taken until it was done", ["kind"], buckets=_SECONDS
)
ROWS = Counter("galley_job_rows", "Rows of chunks that are done, by outcome (ok or failed)", ["kind", "outcome"])
LOST_CHUNKS = Counter(
    "galley_job_chunks_lost", "Chunks that were done in vain: taken by another by then, or of a job that had ended",
    ["kind"],
)  # fmt: skip
VAIN_TICKETS = Counter(
    "galley_job_tickets_in_vain", "Tickets that began no chunk: none was left, or the disk was short (reason)",
    ["queue", "reason"],
)  # fmt: skip


def count_chunk(kind: str, *, rows: int, failed: int, seconds: float) -> None:
    """Count a chunk whose outcome was recorded: all its rows, and the bad ones among them."""
    CHUNK_SECONDS.labels(kind).observe(seconds)
    ROWS.labels(kind, "ok").inc(rows - failed)
    ROWS.labels(kind, "failed").inc(failed)


def count_lost_chunk(kind: str) -> None:
    """Count a chunk that was lost to its worker before its outcome could be recorded."""
    LOST_CHUNKS.labels(kind).inc()


def count_vain_ticket(queue: str, *, reason: str) -> None:
    """Count a ticket that began nothing: `no_chunk` or `disk_short`."""
    VAIN_TICKETS.labels(queue, reason).inc()
