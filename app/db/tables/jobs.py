"""Jobs: what a client posted, and how far it is; and the chunks of those that have rows."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base

_IS_TO_PUBLISH = text("kind = 'verification' AND state IN ('queued', 'running')")
_HAS_KEY = text("idempotency_key IS NOT NULL")
_IS_KEPT = text("queue <> '' AND purged_at IS NULL")


class JobRow(Base):
    """One job. Its truth is here; the task that runs it may be lost and is then sent again.

    A running job belongs to its worker until `lease_until`; `attempt` counts how often one took it, and fences
    those that were too slow to notice. `error` is `{"code","detail"}`, `result` what became of it. A number of a model
    is to be published by one job at a time.

    The other kinds work on rows: `chunk_count` is null until their input was cut into chunks, which are leased one by
    one; `place` is what the places of all of them have in common; `served_at` is when the last of them was begun,
    `purged_at` when what they wrote was removed. `losses` counts the workers that vanished while they planned it,
    `faults` the times in a row that something it needs was away, and `not_before` is when it may be tried again after
    that. `variant` is what a route of revision `route_revision` chose for it. Of one that `is_ordered`, a chunk
    is begun when all before it are done.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_client_id", "client_id", "created_at"),
        Index("ix_jobs_client_state", "client_id", "state"),
        Index("ix_jobs_state", "state"),
        Index("ix_jobs_created", "created_at", "id"),
        Index("ix_jobs_kept", "finished_at", sqlite_where=_IS_KEPT, postgresql_where=_IS_KEPT),
        Index(
            "ix_jobs_published",
            "model_name",
            "version",
            unique=True,
            sqlite_where=_IS_TO_PUBLISH,
            postgresql_where=_IS_TO_PUBLISH,
        ),
        Index(
            "ix_jobs_idempotency",
            "client_id",
            "idempotency_key",
            unique=True,
            sqlite_where=_HAS_KEY,
            postgresql_where=_HAS_KEY,
        ),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    client_id: Mapped[str] = mapped_column(String(64))
    model_name: Mapped[str] = mapped_column(String(128))
    version: Mapped[int | None]
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    done: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    stage: Mapped[str] = mapped_column(String(64), default="")
    request_id: Mapped[str] = mapped_column(String(128))
    traceparent: Mapped[str] = mapped_column(String(55), default="")
    attempt: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    queue: Mapped[str] = mapped_column(String(16), default="")
    input_format: Mapped[str] = mapped_column(String(16), default="")
    input_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    max_error_share: Mapped[float] = mapped_column(Double, default=0.0)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    fingerprint: Mapped[str] = mapped_column(String(64), default="")
    chunk_count: Mapped[int | None]
    place: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    served_at: Mapped[datetime | None]
    progressed_at: Mapped[datetime | None]
    pace_from: Mapped[datetime | None]
    pace_done: Mapped[int] = mapped_column(default=0)
    mark_at: Mapped[datetime | None]
    mark_done: Mapped[int] = mapped_column(default=0)
    purged_at: Mapped[datetime | None]
    losses: Mapped[int] = mapped_column(default=0)
    faults: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime | None]
    variant: Mapped[str | None] = mapped_column(String(64))
    route_revision: Mapped[int | None]
    is_ordered: Mapped[bool] = mapped_column(default=False)


class JobChunkRow(Base):
    """A run of a job's rows, which one worker at a time works on.

    `attempt` fences like that of a job. `losses` counts the workers that vanished with it, `faults` the times that
    something it needs was away; `not_before` is when it may be tried again after that. `place` is where its rows lie in
    the input, as the reader of its format wrote it; `results` and `errors` name the files of the attempt that counts.
    """

    __tablename__ = "job_chunks"
    __table_args__ = (Index("ix_job_chunks_state", "job_id", "state", "number"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    queue: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    first_row: Mapped[int] = mapped_column(BigInteger)
    row_count: Mapped[int]
    place: Mapped[dict[str, Any]] = mapped_column(JSON)
    attempt: Mapped[int] = mapped_column(default=0)
    losses: Mapped[int] = mapped_column(default=0)
    faults: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    done: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    results: Mapped[str] = mapped_column(String(64), default="")
    errors: Mapped[str] = mapped_column(String(64), default="")
    finished_at: Mapped[datetime | None]
