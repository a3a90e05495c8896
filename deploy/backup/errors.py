"""Why there is no backup, or nothing was restored: each failure is a sentence for the terminal."""


class BackupError(Exception):
    """What the operator has to mend; the message says what it is."""
