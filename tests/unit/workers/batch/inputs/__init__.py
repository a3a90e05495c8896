"""Tests of workers.batch.inputs, path for path."""
