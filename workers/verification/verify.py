"""Verification as those who publish see it: a staged folder goes in, and comes out with a manifest that holds."""

import os
from collections.abc import Callable
from pathlib import Path

from model_store.code_scan import scan_artifact
from model_store.manifest import ARTIFACT_FILE, MANIFEST_FILE, decode_draft
from workers.verification.landlock import landlock_version
from workers.verification.limited_process import run_limited
from workers.verification.limits import VerificationLimits
from workers.verification.verdict import Verdict, make_verdict

_OPEN_TO_ALL = 0o755


def ignore_step(_step: str) -> None:
    """Tell nobody how far a verification is."""


def verify_isolated(
    folder: Path, *, limits: VerificationLimits, report: Callable[[str], None] = ignore_step
) -> Verdict:
    """Verify the staged version in `folder`: its code is read first, then it is tried out in a limited process.

    Blocks for up to `limits.wall_s` and the seconds that the process takes to start. `report` hears of each step as it
    begins, and of a long one again every few seconds.

    :raises ForbiddenCode: when its code does what no model may do.
    :raises LimitExceeded: when it took more than the limits.
    :raises StoreError: whatever else is wrong with it.
    """
    draft = decode_draft((folder / MANIFEST_FILE).read_bytes())
    report("reading the code")
    scan_artifact(folder / ARTIFACT_FILE)
    _open_to_others(folder)
    return make_verdict(draft, run_limited(folder, limits=limits, report=report))


def _open_to_others(folder: Path) -> None:
    """Let the limited process look into the folder where it has to become nobody for want of Landlock."""
    if os.geteuid() != 0 or landlock_version() > 0:
        return

    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(_OPEN_TO_ALL)
