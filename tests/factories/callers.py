"""Load from another process, for tests that break something meanwhile."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct, field

from model_store.model_ref import ModelRef

ROOT = Path(__file__).parents[2]
FIRST_ANSWER = "answered\n"
FINISH_TIMEOUT_S = 30.0


class Outcome(Struct):
    """What became of all calls: `versions` counts who answered, `longest_gap_s` is the longest time without answer."""

    answered: int = 0
    wrong: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    versions: dict[int, int] = field(default_factory=dict)
    longest_gap_s: float = 0.0


class Callers:
    """The running process of callers."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def wait_answered(self) -> None:
        """Block until the first answer has come.

        :raises RuntimeError: when the process ended instead.
        """
        assert self._process.stdout is not None
        if self._process.stdout.readline() != FIRST_ANSWER:
            raise RuntimeError("The callers ended before they had an answer.")

    def finish(self) -> Outcome:
        """End the calls and return what became of them."""
        output, _ = self._process.communicate(timeout=FINISH_TIMEOUT_S)
        return msgspec.json.decode(output, type=Outcome)


@contextmanager
def calling(ref: ModelRef, environment: Mapping[str, str], *, count: int = 8, alias: str = "") -> Iterator[Callers]:
    """Have `count` greenlets of another process call a version, or an alias, for the length of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.factories.caller_process", ref.name, alias or str(ref.version), str(count)],
        cwd=ROOT,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        callers = Callers(process)
        callers.wait_answered()
        yield callers
    finally:
        process.kill()
        process.communicate()
