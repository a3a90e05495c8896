"""A number of a model is to be published by one job at a time, also when two begin in the same moment."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

IS_TO_PUBLISH = sa.text("kind = 'verification' AND state IN ('queued', 'running')")


def upgrade() -> None:
    op.create_index(
        "ix_jobs_published",
        "jobs",
        ["model_name", "version"],
        unique=True,
        sqlite_where=IS_TO_PUBLISH,
        postgresql_where=IS_TO_PUBLISH,
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_published", "jobs")
