"""Unit tests of workers.controller."""
