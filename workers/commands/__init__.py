"""The commands behind `flask models`, by what they touch; those that need torch are imported when they are called.

May import app.services, app.db, app.infra, model_store, workers.runner and workers.training. Nothing imports it but
workers.cli.
"""
