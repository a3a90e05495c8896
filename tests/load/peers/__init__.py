"""Other model servers, each in an environment of its own, serving the model that Galley serves in the same run.

May import the standard library and the measuring parts of `tests.load`. `mlserver_model` and `kserve_model` run in
their server's environment; nothing here imports them. So does `plain_flask`, in Galley's own, whose features it takes.
"""
