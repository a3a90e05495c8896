"""What operators do to an installation that serves, and what its callers notice of it: nothing, or what is said.

May use the factories and other end-to-end tests' words. Every test stands in the runbook of docs/operations.md.
"""
