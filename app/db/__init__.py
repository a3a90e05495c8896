"""SQL: engine, sessions, tables and repositories.

The only room that knows SQLAlchemy. Repositories take and return plain values, never rows.
"""
