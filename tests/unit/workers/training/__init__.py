"""Unit tests of workers.training."""
