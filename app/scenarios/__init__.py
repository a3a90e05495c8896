"""What a request of each scenario means: its fields, its answer and its rules.

Pure: imports the standard library, msgspec, app.errors, app.settings and model_store; what only a runner imports
(tensors), numpy and orjson besides. No input or output happens here.
"""
