"""The walls around a model that is verified: which of them this machine has."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

from deploy.doctor.case import Case
from deploy.doctor.finding import Finding, error, good, warning
from deploy.stack.supervision import ROOT

# A process of its own: what it tries it gives up for good.
COMMAND: Final = (sys.executable, "-m", "workers.verification.walls")
LONGEST_S: Final = 60.0


def walls(_case: Case) -> Iterator[Finding]:
    """What a model that is verified cannot reach."""
    if not (ROOT / "workers").is_dir():
        yield good("verification", "No model is verified here: the web image has no workers.")
        return

    try:
        found = subprocess.run(COMMAND, cwd=ROOT, check=True, capture_output=True, text=True, timeout=LONGEST_S)  # noqa: S603 - the command is ours
    except (OSError, subprocess.SubprocessError) as err:
        yield error("verification", f"The walls of verification cannot be tried ({err}).", "Run `make install`.")
        return

    yield from judge(json.loads(found.stdout))


def judge(found: dict[str, int | bool]) -> Iterator[Finding]:
    """Say what the walls that were found are worth."""
    if found["landlock"]:
        yield good("verification: files", f"Landlock (version {found['landlock']}) keeps models from files.")
    elif found["is_root"]:
        yield warning(
            "verification: files",
            "The kernel has no Landlock: models that are verified run as nobody, and read what all may read.",
            "Boot with `lsm=landlock,…` (Linux 5.13 or newer), and keep secrets at mode 600.",
        )
    else:
        yield warning(
            "verification: files",
            "The kernel has no Landlock: a model that is verified could read what Galley's user reads.",
            "Boot with `lsm=landlock,…` (Linux 5.13 or newer).",
        )
    if found["leaves_network"]:
        yield good("verification: network", "Models that are verified have no network.")
    else:
        yield warning(
            "verification: network",
            "No namespace can be made: a model that is verified could reach the network.",
            "Allow namespaces of users: sysctl -w user.max_user_namespaces=1024 and"
            " kernel.apparmor_restrict_unprivileged_userns=0, or seccomp of the container.",
        )
