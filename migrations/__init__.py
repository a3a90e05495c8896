"""The database's history: one Alembic revision per change of the tables, each going up and down.

May import app.db. Run by app.db.migrate, which hands over the connection; schema and data change in separate revisions.
"""
