"""Mirrors app/web/blueprints/clients."""
