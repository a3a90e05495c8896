"""HTTP: the app factory's extensions, blueprints, authentication, limits and error answers.

The only room that knows Flask and marshmallow. Calls services; never SQL, Redis keys or sockets to runners.
"""
