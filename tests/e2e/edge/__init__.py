"""Tests of the edge: nginx with TLS as callers see it, and what hostile ones send through it.

They may start nginx and stacks. Nothing here looks into the product's code.
"""
