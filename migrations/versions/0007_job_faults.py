"""Jobs over rows: what was lost and what failed on their way, the route's choice, and indexes of what is read often."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from app.db.base import UtcDateTime

revision = "0007"
down_revision = "0006"

IS_KEPT = sa.text("queue <> '' AND purged_at IS NULL")


def _new_columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("losses", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("faults", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("not_before", UtcDateTime(), nullable=True),
        sa.Column("variant", sa.String(64), nullable=True),
        sa.Column("route_revision", sa.Integer(), nullable=True),
    )


def upgrade() -> None:
    for column in _new_columns():
        op.add_column("jobs", column)
    op.create_index("ix_jobs_created", "jobs", ["created_at", "id"])
    op.create_index("ix_jobs_kept", "jobs", ["finished_at"], sqlite_where=IS_KEPT, postgresql_where=IS_KEPT)


def downgrade() -> None:
    op.drop_index("ix_jobs_kept", "jobs")
    op.drop_index("ix_jobs_created", "jobs")
    for column in reversed(_new_columns()):
        op.drop_column("jobs", column.name)
