"""The benchmarks: `python -m tests.load` starts a stack of its own, measures it and writes docs/benchmarks.md.

Speaks to the stack over HTTP and reads /proc, as anybody could. Never a timed assert: it prints what it saw.
"""
