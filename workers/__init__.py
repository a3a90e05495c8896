"""Everything that runs models: runners, their controller, Celery tasks, training.

The only room that imports torch. May import app (except app.web) and model_store; nothing imports workers.
"""
