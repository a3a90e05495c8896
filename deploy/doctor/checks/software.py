"""Python and the packages: new enough, there, and those that Galley is tested with."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from deploy.doctor.finding import Finding, error, good, warning
from deploy.stack.checks import check_python
from deploy.stack.supervision import ROOT

CONSTRAINTS: Final = ROOT / "constraints.txt"
MOST_NAMED: Final = 5
_PINNED: Final = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)")


def python() -> Iterator[Finding]:
    """A Python that is new enough."""
    problems = check_python()
    if problems:
        yield error("python", problems[0], "Make the virtual environment with a newer Python: `make install PYTHON=…`.")
    else:
        yield good("python", "This Python is new enough.")


def torch() -> Iterator[Finding]:
    """torch, which everything but the web tier needs."""
    found = installed("torch")
    if found is None:
        yield warning(
            "torch",
            "torch is not installed: only web workers can run here.",
            "Where runners, the controller or Celery run, install the extra `workers`: `make install`.",
        )
    else:
        yield good("torch", f"torch {found} is installed.")


def packages(constraints: Path = CONSTRAINTS) -> Iterator[Finding]:
    """Packages of other versions than those that Galley is tested with."""
    others = list(_others(constraints))
    if not others:
        yield good("packages", "All packages that are installed are of the versions that Galley is tested with.")
        return

    named = ", ".join(others[:MOST_NAMED]) + (" …" if len(others) > MOST_NAMED else "")
    yield warning(
        "packages",
        f"{len(others)} packages are of another version than Galley is tested with: {named}.",
        f"Install by the list: `pip install --constraint {constraints.name} …`.",
    )


def installed(name: str) -> str | None:
    """Return the version of a package without its build; None where it is not installed."""
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return None


def _others(constraints: Path) -> Iterator[str]:
    for name, wanted in _PINNED.findall(constraints.read_text("utf-8")):
        found = installed(name)
        if found not in (None, wanted.partition("+")[0]):
            yield f"{name} {found} instead of {wanted}"
