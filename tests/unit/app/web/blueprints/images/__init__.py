"""Mirrors app/web/blueprints/images."""
