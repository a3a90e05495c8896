"""How each task turns request bytes into tensors and tensors into answers: decode, collate, encode.

May import app.scenarios, model_store and torch. Never sockets or queues: the runner calls pipelines.
"""
