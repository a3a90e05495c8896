"""The house rules as tests: sizes, docstrings, imports, the mirror of tests, and what never enters the tree.

Reads the source as text and syntax trees. Imports nothing of the product, but for one child process.
"""
