"""All tables of the database in one place, for whoever creates or compares the schema."""

from typing import Final

from sqlalchemy import MetaData

from app.db.base import Base
from app.db.tables import audit, clients, experiments, jobs, models

TABLE_MODULES: Final = (audit, clients, experiments, jobs, models)
"""Importing a module of tables registers its tables; a new one is added here."""

METADATA: Final[MetaData] = Base.metadata
