"""Programs that some suites want and the project does not bring: asked for before anything is measured."""

import shutil
from collections.abc import Collection, Mapping

from tests.factories.postgres_server import find_binaries

# By suite: each program, and the package of Debian that has it.
WANTED: Mapping[str, Mapping[str, str]] = {
    "edge": {"nginx": "nginx", "wrk": "wrk"},
    "soak": {"nginx": "nginx", "postgres": "postgresql"},
}


def missing_parts(suites: Collection[str]) -> list[str]:
    """Return a sentence for each suite that cannot be measured on this machine."""
    lacking = {suite: [name for name in WANTED[suite] if not _is_there(name)] for suite in suites if suite in WANTED}
    return [_sentence(suite, names) for suite, names in lacking.items() if names]


def _is_there(program: str) -> bool:
    # PostgreSQL's programs are not on PATH where Debian installs them.
    return find_binaries() is not None if program == "postgres" else shutil.which(program) is not None


def _sentence(suite: str, names: Collection[str]) -> str:
    packages = " ".join(WANTED[suite][name] for name in names)
    return (
        f"The suite {suite} wants {', '.join(names)} (Debian: apt install {packages}); install it or name other suites."
    )
