"""What the make targets promise to shells that read them."""

import subprocess

from tests.architecture.source import ROOT


def commands_of(target: str, *, newer: str) -> list[str]:
    """Return the commands that make would run for `target`, were the file `newer` just changed."""
    made = subprocess.run(
        ["make", "--dry-run", "--what-if", newer, target], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return made.stdout.splitlines()


def test_installing_anew_leaves_standard_output_to_the_token() -> None:
    installs = [line for line in commands_of("token", newer="setup.cfg") if " -m pip " in line]

    assert installs
    assert all(line.startswith(">&2 ") for line in installs)
