"""Mirrors deploy/backup."""
