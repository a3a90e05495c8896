"""What a check found: how bad it is, and how it is mended."""

import enum
from dataclasses import dataclass


class Verdict(enum.StrEnum):
    """How bad a finding is. With an error something does not work, or is open to others."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `mend` says what to do; it is empty where nothing is to be done."""

    name: str
    verdict: Verdict
    says: str
    mend: str = ""


def good(name: str, says: str) -> Finding:
    """Return the finding that something is as it should be."""
    return Finding(name, Verdict.OK, says)


def warning(name: str, says: str, mend: str) -> Finding:
    """Return the finding that something works, and may cost speed, safety or data one day."""
    return Finding(name, Verdict.WARNING, says, mend)


def error(name: str, says: str, mend: str) -> Finding:
    """Return the finding that something does not work, or is unsafe."""
    return Finding(name, Verdict.ERROR, says, mend)


def worst(findings: list[Finding]) -> Verdict:
    """Return the verdict over all of them."""
    return max((finding.verdict for finding in findings), key=list(Verdict).index, default=Verdict.OK)
