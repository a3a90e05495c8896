"""Mirrors app/web/blueprints/models."""
