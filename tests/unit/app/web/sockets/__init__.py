"""Mirrors app/web/sockets."""
