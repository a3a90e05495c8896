"""The running supervisord, spoken to as an operator does."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.stack.errors import CannotStart

# What supervisord may take for its answer, and besides for whatever it is to wait for.
ANSWER_S = 60.0
# `status` exits with 3 when a program is not running, which it says as well.
FINE = (0, 3)


@dataclass(frozen=True, kw_only=True)
class StackEnvironment:
    """What every part of a stack was started with."""

    variables: Mapping[str, str]
    folder: str


class Supervisorctl:
    """`supervisorctl` with the configuration of one stack."""

    def __init__(self, config: Path) -> None:
        self._config = config

    def demand_running(self) -> None:
        """Ask for supervisord's own pid.

        :raises CannotStart: when it does not answer.
        """
        if not self._config.exists() or not self.do("pid").strip().isdigit():
            raise CannotStart("No stack runs here: `make run` starts one, and VAR_DIR says where.")

    def pid(self, program: str = "") -> int:
        """Return the pid of a program, of supervisord itself without one; 0 while it is not running."""
        said = self.do(*f"pid {program}".split()).strip()
        return int(said) if said.isdigit() else 0

    def is_up(self, program: str) -> bool:
        """Say whether a program runs, and for so long (`startsecs`) that it counts as started."""
        return self.do("status", program).split()[1:2] == ["RUNNING"]

    def environment(self) -> StackEnvironment:
        """Return what the parts inherit from supervisord: its environment and its folder.

        :raises CannotStart: when it runs for somebody else.
        """
        try:
            process = psutil.Process(self.pid())
            return StackEnvironment(variables=process.environ(), folder=process.cwd())
        except psutil.Error as err:
            raise CannotStart(
                f"The running stack's environment cannot be read ({err}); be the user that started it."
            ) from err

    def do(self, *words: str, waits_s: float = 0.0) -> str:
        """Do what the words say, which may have supervisord wait so long; return what there was to say about it.

        :raises CannotStart: when that failed, or supervisord hangs.
        """
        command = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(self._config), *words]
        limit_s = waits_s + ANSWER_S
        try:
            result = subprocess.run(  # noqa: S603 - the caller's words
                command, check=False, capture_output=True, text=True, timeout=limit_s
            )
        except subprocess.TimeoutExpired as err:
            raise CannotStart(f"supervisord does not answer `{' '.join(words)}` within {limit_s:g} s.") from err

        if result.returncode not in FINE or "ERROR" in result.stdout:
            raise CannotStart(f"supervisorctl {' '.join(words)} failed: {result.stdout}{result.stderr}".strip())

        return result.stdout
