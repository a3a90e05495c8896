"""Unit tests, one module per source module, at the same path."""
