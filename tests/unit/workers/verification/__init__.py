"""Tests of workers.verification, path for path."""
