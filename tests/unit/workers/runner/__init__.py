"""Unit tests of workers.runner."""
