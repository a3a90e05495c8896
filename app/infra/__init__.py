"""What Galley stands on: Redis, the task queue, metrics, logging.

May import settings and errors. Knows no model, no route and no table.
"""
