"""Mirrors app/web."""
