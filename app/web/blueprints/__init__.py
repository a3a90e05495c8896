"""One package per resource: `routes.py` for the views, `schemas.py` for what they read and write.

May import app.web and app.services. A view parses, calls one service, and shapes the answer.
"""
