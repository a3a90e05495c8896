"""Unit tests of workers.commands."""
