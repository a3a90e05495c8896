"""How Galley is run: the configuration of every server around it, and the launcher behind `make run`.

May import app.settings, app.db.migrate, app.services, app.infra and model_store. Never torch, never a web view.
"""
