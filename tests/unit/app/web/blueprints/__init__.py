"""Mirrors app/web/blueprints."""
