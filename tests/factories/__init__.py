"""Builders of test values: settings, tiny scripted models, images.

May import the product. Never asserts.
"""
