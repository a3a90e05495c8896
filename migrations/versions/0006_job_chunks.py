"""Jobs over rows: what their input is, and the chunks that it was cut into."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from app.db.base import UtcDateTime

revision = "0006"
down_revision = "0005"

HAS_KEY = sa.text("idempotency_key IS NOT NULL")


def _new_columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("queue", sa.String(16), nullable=False, server_default=""),
        sa.Column("input_format", sa.String(16), nullable=False, server_default=""),
        sa.Column("input_bytes", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("max_error_share", sa.Double(), nullable=False, server_default="0"),
        sa.Column("idempotency_key", sa.String(255), nullable=True),
        sa.Column("fingerprint", sa.String(64), nullable=False, server_default=""),
        sa.Column("chunk_count", sa.Integer(), nullable=True),
        sa.Column("place", sa.JSON(), nullable=False, server_default="{}"),
        sa.Column("served_at", UtcDateTime(), nullable=True),
        sa.Column("progressed_at", UtcDateTime(), nullable=True),
        sa.Column("pace_from", UtcDateTime(), nullable=True),
        sa.Column("pace_done", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("mark_at", UtcDateTime(), nullable=True),
        sa.Column("mark_done", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("purged_at", UtcDateTime(), nullable=True),
    )


def upgrade() -> None:
    for column in _new_columns():
        op.add_column("jobs", column)
    op.create_index(
        "ix_jobs_idempotency",
        "jobs",
        ["client_id", "idempotency_key"],
        unique=True,
        sqlite_where=HAS_KEY,
        postgresql_where=HAS_KEY,
    )
    op.create_index("ix_jobs_client_state", "jobs", ["client_id", "state"])
    op.create_table(
        "job_chunks",
        sa.Column("job_id", sa.String(36), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("queue", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("first_row", sa.BigInteger(), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("place", sa.JSON(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("faults", sa.Integer(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("results", sa.String(64), nullable=False),
        sa.Column("errors", sa.String(64), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
    )
    op.create_index("ix_job_chunks_state", "job_chunks", ["job_id", "state", "number"])


def downgrade() -> None:
    op.drop_table("job_chunks")
    # The code of before knows no job over rows, and would take one for a verification.
    op.execute("DELETE FROM jobs WHERE queue <> ''")
    op.drop_index("ix_jobs_client_state", "jobs")
    op.drop_index("ix_jobs_idempotency", "jobs")
    for column in reversed(_new_columns()):
        op.drop_column("jobs", column.name)
