"""The trace of the request that posted a job."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("traceparent", sa.String(55), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("jobs", "traceparent")
