"""Chunks are counted by kind, rows by outcome."""

from prometheus_client import REGISTRY

from workers.batch.metrics import count_chunk, count_lost_chunk, count_vain_ticket

KIND = "kind-of-this-test"


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_rows_are_counted_by_outcome() -> None:
    count_chunk(KIND, rows=10, failed=3, seconds=0.2)
    count_chunk(KIND, rows=5, failed=0, seconds=0.7)

    assert value("galley_job_rows_total", kind=KIND, outcome="ok") == 12
    assert value("galley_job_rows_total", kind=KIND, outcome="failed") == 3
    assert value("galley_job_chunk_seconds_count", kind=KIND) == 2
    assert value("galley_job_chunk_seconds_bucket", kind=KIND, le="0.25") == 1


def test_what_was_in_vain_is_counted_apart() -> None:
    count_lost_chunk(KIND)
    count_vain_ticket("queue-of-this-test", reason="no_chunk")

    assert value("galley_job_chunks_lost_total", kind=KIND) == 1
    assert value("galley_job_tickets_in_vain_total", queue="queue-of-this-test", reason="no_chunk") == 1
    assert value("galley_job_rows_total", kind=KIND, outcome="lost") == 0
