"""Tests of workers.batch, path for path."""
