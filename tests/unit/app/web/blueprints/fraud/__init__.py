"""Mirrors app/web/blueprints/fraud."""
