"""Mirrors app/web/blueprints/auth."""
