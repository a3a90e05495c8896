"""What a request of each scenario means: its fields, its answer and its rules.

Pure: imports nothing but the standard library, msgspec and app.errors. No input or output happens here.
"""
