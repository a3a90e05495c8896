"""Galley's tests: unit, contract, integration, e2e and architecture, by folder; load holds the benchmarks.

May import everything. Shared builders live in factories, stand-ins for outside parts in fakes.
"""
