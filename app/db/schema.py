"""All tables of the database in one place, for whoever creates or compares the schema."""

from typing import Final

from sqlalchemy import MetaData

from app.db.base import Base
from app.db.tables import clients, models

TABLE_MODULES: Final = (clients, models)
"""Importing a module of tables registers its tables; a new one is added here."""

METADATA: Final[MetaData] = Base.metadata
