"""Alembic's entry: runs revisions on the connection that app.db.migrate hands over."""

from typing import Literal

from alembic import context

from app.db.base import UtcDateTime
from app.db.schema import METADATA


def render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write our types as the database has them, so that a revision never depends on today's code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    compare_type=True,
    render_item=render_item,
    # Alembic thinks SQLite cannot roll a CREATE TABLE back; it can, once the driver leaves BEGIN to us.
    transactional_ddl=True,
    # SQLite cannot alter most things in place: Alembic copies the table.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
