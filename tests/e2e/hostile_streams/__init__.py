"""Clients of streams that do what none should, beside one that does nothing wrong and must not notice."""
