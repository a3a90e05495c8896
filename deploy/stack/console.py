"""What the launcher says: plain lines, out at once, also through a pipe."""

import sys


def say(line: str) -> None:
    """Write one line to the terminal."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def complain(line: str) -> None:
    """Write one line where errors go."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
