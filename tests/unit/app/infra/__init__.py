"""Unit tests of app.infra."""
