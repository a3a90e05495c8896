"""Jobs over many rows: their inputs read, cut into chunks, computed and written, in the children of a Celery pool.

Imports app (but not app.web), model_store, workers.bootstrap, workers.runner and verification's meter. Asks SQL through
app's services only, and knows no Flask. No web process imports it.
"""
