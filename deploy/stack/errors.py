"""Why a stack did not start or ends: the launcher's own failures, each with a sentence for the terminal."""

import signal


class CannotStart(Exception):
    """What the operator has to mend first; the message lists all of it."""


class StopRequested(Exception):
    """Ctrl-C, or a signal that means the same."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"Stopping on {number.name}.")
