"""Chaos: a whole installation under a load of many clients, of which parts are killed, stopped, cut off and filled up.

`python -m tests.chaos` is `make chaos`. The files called test_*.py prove that what watches it sees what it should.
It may import tests.factories and what the benchmarks write documents with; the product never imports it.
"""
