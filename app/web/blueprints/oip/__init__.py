"""The Open Inference Protocol v2: what its clients, whoever wrote them, find under /v2.

May import app.web, app.services and app.scenarios. Never opens a session, a socket or a file itself.
"""
