"""Wires between parts, which can be cut and held: the caller's end of the process that is all of them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from tests.factories.stack import ROOT

STOP_S = 10.0


class Wires:
    """Wires by their names."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._lock = Lock()

    def open(self, name: str, *, to: str, at: str = "0") -> str:
        """Lay a wire to a part, `unix:PATH` or a port of 127.0.0.1; return where it begins."""
        return self._say("open", name, at, to)

    def cut(self, name: str) -> int:
        """Break off all connections of a wire; return how many there were."""
        return int(self._say("cut", name))

    def hold(self, name: str) -> None:
        """Let nothing through, as a part or a network that hangs."""
        self._say("hold", name)

    def release(self, name: str) -> None:
        """Let what was held go on."""
        self._say("release", name)

    def _say(self, *words: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(" ".join(words) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline().strip()
        if not answer or answer.startswith("?"):
            raise RuntimeError(f"The wires do not do {' '.join(words)!r}: {answer!r}")
        return answer


@contextmanager
def laid_wires() -> Iterator[Wires]:
    """Run a process that is all wires, for the length of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.wire_process"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Wires(process)
    finally:
        process.communicate(timeout=STOP_S)
