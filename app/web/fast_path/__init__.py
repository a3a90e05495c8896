"""The fast path: plain requests of the hottest routes, answered by one WSGI function in front of Flask.

May import app.web, app.services and below. Never Flask's globals: there is no app and no request context here.
"""
