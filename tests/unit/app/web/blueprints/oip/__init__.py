"""Mirrors app/web/blueprints/oip."""
