"""Mirrors app/web/blueprints/experiments."""
