"""How long an alias's answers are kept, and whether those of a version may be."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("aliases") as batch:
        batch.add_column(sa.Column("cache_ttl_s", sa.Integer(), nullable=True))
    # The manifests of versions that are there could not say otherwise, and none of their tasks had a state.
    with op.batch_alter_table("model_versions") as batch:
        batch.add_column(sa.Column("is_cached", sa.Boolean(), nullable=False, server_default=sa.true()))
        batch.add_column(sa.Column("is_cached_per_client", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    with op.batch_alter_table("model_versions") as batch:
        for column in ("is_cached", "is_cached_per_client"):
            batch.drop_column(column)
    with op.batch_alter_table("aliases") as batch:
        batch.drop_column("cache_ttl_s")
