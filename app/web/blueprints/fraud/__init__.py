"""Fraud scores.

May import app.web, app.services and app.scenarios. Never opens a session, a socket or a file itself.
"""
