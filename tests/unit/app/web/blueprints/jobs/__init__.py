"""Unit tests of the routes of jobs."""
