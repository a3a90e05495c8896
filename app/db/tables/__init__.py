"""The tables, one module per aggregate, each row class ending in `Row`.

May import app.db.base only. Never imported outside app.db and migrations.
"""
