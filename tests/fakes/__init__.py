"""Stand-ins for outside parts, each kept honest by a contract test that also runs on the real one.

May import the product. Never imported by it.
"""
