"""Alembic's entry: runs revisions on the connection that app.db.migrate hands over."""

from alembic import context

from app.db.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    compare_type=True,
    # Alembic thinks SQLite cannot roll a CREATE TABLE back; it can, once the driver leaves BEGIN to us.
    transactional_ddl=True,
    # SQLite cannot alter most things in place: Alembic copies the table.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
