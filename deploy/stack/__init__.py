"""The launcher behind `make run`: checks, prepares, starts supervisord, waits until ready, and leaves no process.

May import what deploy may. Runs before and beside the servers, so it holds no pool, no thread and no model.
"""
