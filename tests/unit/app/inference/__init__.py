"""Unit tests of app.inference."""
