"""Rows that are inserted in one statement, whatever others insert meanwhile."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.db.base import Base


def put_row(session: Session, row_class: type[Base], values: dict[str, Any]) -> None:
    """Insert a row; one that is there already takes these values."""
    keys = [column.name for column in row_class.__table__.primary_key]
    changes = {name: value for name, value in values.items() if name not in keys}
    session.execute(_insert(session, row_class, values).on_conflict_do_update(index_elements=keys, set_=changes))


def claim_row(session: Session, row_class: type[Base], values: dict[str, Any]) -> bool:
    """Insert a row unless it is there already, and say whether it was inserted."""
    keys = list(row_class.__table__.primary_key)
    statement = _insert(session, row_class, values).on_conflict_do_nothing().returning(*keys)
    return session.execute(statement).first() is not None


def _insert(session: Session, row_class: type[Base], values: dict[str, Any]) -> Any:
    # The two have the same methods and no common type.
    dialect: Any = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    return dialect.insert(row_class).values(values)
