"""Mirrors app/web/blueprints/text."""
