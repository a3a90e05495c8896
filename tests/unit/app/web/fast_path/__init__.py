"""Mirrors app/web/fast_path."""
