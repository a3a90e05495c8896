"""Unit tests of what holds the port."""
