"""Starts, watches, drains and restarts runners until what runs is what SQL says should run.

May import app.services, app.db, app.inference and app.infra. Never imports torch itself: its forkserver does.
"""
