"""Use cases in plain Python: what Galley does, whoever asks.

May import scenarios, inference, db, infra and model_store. Never Flask, never torch.
"""
