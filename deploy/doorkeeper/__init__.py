"""The process that holds the web tier's port, so that servers change behind it and no connection is refused.

May import what deploy may, but nothing that serves: it lives through deployments, with the code it was started with.
"""
