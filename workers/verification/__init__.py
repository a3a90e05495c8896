"""Verification: a foreign artifact is read, then opened and tried out in a limited process of its own.

May import torch, workers.runner, app.infra and model_store. Only `child` and what it imports load torch: never the
process that waits for it.
"""
