"""What the doctor looks at, a subject each: a check yields findings about a case, and raises none of them.

May import what deploy may. Nothing here writes, but for a file or two that are gone at once.
"""
