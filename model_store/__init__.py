"""The versioned model store: immutable version folders, their manifests and digests.

May import app.errors and nothing else of the project. Never torch, never Flask.
"""
