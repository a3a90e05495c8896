"""Streams over WebSockets: frames, sessions that outlive their sockets, and the sockets themselves.

May import app.web, app.services, app.scenarios and below. No model runs here, and no stream's own rules stand here.
"""
