"""Tests across processes: real Redis, real runners, real databases."""
