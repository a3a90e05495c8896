"""Which walls this machine has: `python -m workers.verification.walls` tries them, and tells in one JSON object."""

import json
import os
import sys

from workers.verification.confinement import leave_network
from workers.verification.landlock import landlock_version


def main() -> None:
    """Try them. This process has no network afterwards, where that can be given up."""
    found = {"landlock": landlock_version(), "is_root": os.geteuid() == 0, "leaves_network": leave_network()}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
