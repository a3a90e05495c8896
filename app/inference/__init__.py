"""How a request reaches a runner: wire messages, the directory of runners, the client.

May import infra, settings, errors and model_store. Never SQL, never a web framework, never torch.
"""
