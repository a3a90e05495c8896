"""Jobs: what was posted, and how far it is.

May import app.web, app.services, app.scenarios, app.infra and the values of app.db.repositories. Never opens a session
or a socket itself; of files, only those that a request brings, in the folder that they are received in.
"""
