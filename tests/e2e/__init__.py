"""Tests of whole stacks: launcher, supervisord, gunicorn, controller, runners, Celery, Redis, nginx, a browser."""
