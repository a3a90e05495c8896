"""Ask the database of known vulnerabilities about every pinned part.

The exit status is 0 for none, 1 for some, and 3 for no answer.

pip-audit alone ends well, too, when its source cannot be reached: it then calls every part unknown.
"""

import json
import subprocess
import sys
from pathlib import Path

PINS = Path(__file__).resolve().parents[1] / "constraints.txt"
# Builds of torch are not on PyPI under all their numbers; more unknown parts mean that nobody answered.
MOST_UNKNOWN_SHARE = 0.1
UNREACHED = 3


def main() -> int:
    """Audit the pins; say what came of it."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(PINS), "--no-deps", "--disable-pip"]
    result = subprocess.run([*command, "--format", "json"], capture_output=True, text=True, check=False)  # noqa: S603
    try:
        parts = json.loads(result.stdout)["dependencies"]
    except ValueError:
        return _not_reached(result.stderr.strip().splitlines()[-1:] or ["no answer"])

    unknown = [part["name"] for part in parts if "skip_reason" in part]
    if len(unknown) > MOST_UNKNOWN_SHARE * len(parts):
        return _not_reached([f"{len(unknown)} of {len(parts)} parts are unknown to it"])

    return _tell(parts, unknown)


def _tell(parts: list[dict], unknown: list[str]) -> int:
    vulnerable = [part for part in parts if part.get("vulns")]
    for part in vulnerable:
        for found in part["vulns"]:
            mended = ", ".join(found["fix_versions"]) or "no version"
            print(f"{part['name']} {part['version']}: {found['id']}, mended in {mended}")
    known = len(parts) - len(unknown)
    print(f"{known} parts audited, {len(vulnerable)} vulnerable; unknown: {' '.join(unknown) or 'none'}.")
    return 1 if vulnerable else 0


def _not_reached(why: list[str]) -> int:
    print(f"NOT AUDITED: the database of vulnerabilities could not be asked ({why[0]}).")
    return UNREACHED


if __name__ == "__main__":
    sys.exit(main())
