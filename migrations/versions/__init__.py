"""The revisions, oldest first by their numbers.

May import app.db.base only: a revision says itself what the tables looked like at its time.
"""
