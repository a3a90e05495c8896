"""`python -m deploy.tether COMMAND …` becomes COMMAND, which gets SIGTERM when its parent ends.

supervisord stops its programs when it is told to end, but not when it is killed.
"""

import os
import sys

from app.infra.parent_death import end_with_parent


def main() -> None:
    """Tie this process to its parent and become the command given."""
    command = sys.argv[1:]
    if not command:
        sys.exit("deploy.tether needs a command to run.")

    end_with_parent(os.getppid())
    os.execvp(command[0], command)  # noqa: S606 - the caller's own # nosec B606


if __name__ == "__main__":
    main()
