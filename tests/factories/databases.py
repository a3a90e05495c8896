"""A SQLite database of a test's own, with all tables and no rows."""

import importlib
import pkgutil
from pathlib import Path

from app.db import tables
from app.db.base import Base
from app.db.session import Database


def make_database(folder: Path) -> Database:
    """Create the database in `folder`; close it at the end of the test."""
    folder.mkdir(parents=True, exist_ok=True)
    for module in pkgutil.iter_modules(tables.__path__, f"{tables.__name__}."):
        importlib.import_module(module.name)
    database = Database(f"sqlite:///{folder}/galley.db")
    Base.metadata.create_all(database.engine)
    return database
