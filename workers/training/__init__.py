"""The demo models: their data, their training, their TorchScript code and their manifests.

May import torch, scikit-learn and model_store. Never called by a serving process.
"""
