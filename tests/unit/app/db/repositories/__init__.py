"""Unit tests of app.db.repositories."""
