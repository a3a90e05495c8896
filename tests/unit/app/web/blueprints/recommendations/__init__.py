"""Mirrors app/web/blueprints/recommendations."""
