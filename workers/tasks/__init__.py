"""Celery tasks, thin: each names a service call and its retry policy.

May import app.services through workers.bootstrap. Web code names tasks by app.infra.task_names, never by import.
"""
