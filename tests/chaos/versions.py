"""Which versions of Galley and of the servers beside it were broken, as they say themselves."""

import re
import shutil
import subprocess
from importlib.metadata import version

from tests.factories.postgres_server import find_binaries

VERSION = re.compile(r"\d+(\.\d+)+")


def versions() -> str:
    """Return them in a line; what is not on this machine is left out."""
    folder = find_binaries()
    commands = {
        "nginx": ("nginx", "-v"),
        "Redis": ("redis-server", "--version"),
        "PostgreSQL": (f"{folder}/postgres", "--version"),
    }
    said = {name: _said(*command) for name, command in commands.items() if shutil.which(command[0])}
    return ", ".join(f"{name} {number}" for name, number in {"Galley": version("galley"), **said}.items())


def _said(*command: str) -> str:
    # nginx says it on the other channel.
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    found = VERSION.search(said)
    return found[0] if found else said.strip()
