"""One repository per aggregate: the queries the services need, in their words.

May import tables and session. Never commits: the unit of work does.
"""
