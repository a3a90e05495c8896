"""`python -m deploy.stack.supervisord OPTIONS …` is supervisord, which goes on where it cannot even complain.

On a full disk it tells its stderr that a log cannot be written. Where that is a file of the same disk, what it could
not say would end it, and with it everything below.
"""

import io
import sys

from supervisor.supervisord import main


class PatientStream(io.TextIOWrapper):
    """A text stream that drops what its file does not take."""

    def write(self, text: str) -> int:
        """Return the length of the text, whatever became of it."""
        try:
            return super().write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Hand on what can be handed on."""
        try:
            super().flush()
        except OSError:
            return


if __name__ == "__main__":
    # Unbuffered: what a buffer cannot get rid of it would try again with each later line.
    sys.stderr = PatientStream(io.FileIO(2, "wb", closefd=False), write_through=True)
    main()
