"""One model version in one process: load, prove, batch, answer.

May import app.inference, app.scenarios, app.infra and model_store. Never SQL, never another runner.
"""
