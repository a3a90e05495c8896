"""The web tier, and what every Galley process shares.

May import model_store. Never imports workers, torch or pyarrow.
"""
