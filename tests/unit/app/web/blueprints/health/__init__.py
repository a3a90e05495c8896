"""Mirrors app/web/blueprints/health."""
