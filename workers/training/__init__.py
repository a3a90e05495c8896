"""The demo models: their data, their training, their TorchScript code and their manifests.

May import torch, scikit-learn, model_store and the runner's pipelines. Never called by a serving process.
"""
