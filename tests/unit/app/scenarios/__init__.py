"""Unit tests of app.scenarios."""
