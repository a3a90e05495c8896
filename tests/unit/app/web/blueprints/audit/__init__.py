"""Mirrors app/web/blueprints/audit."""
