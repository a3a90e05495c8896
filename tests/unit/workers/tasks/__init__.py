"""Unit tests of Celery tasks."""
