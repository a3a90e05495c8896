"""What the parts of a stack complain of: the warnings and errors in their logs, read while they are written."""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import BinaryIO, Final

# Logs are turned over at 10 MB and the oldest is removed: between two looks none may be written full and go.
LOOK_S: Final = 1.0
COMPLAINTS: Final = frozenset({"warning", "error", "critical"})
TRACEBACK: Final = "Traceback (most recent call last)"
NGINX: Final = re.compile(
    r"\[(?P<level>warn|error|crit|alert|emerg)\] [\d#]+: (?:\*\d+ )?(?P<what>.*?)(?:, client: .*)?$"
)
POSTGRES: Final = re.compile(r"\b(?P<level>WARNING|ERROR|FATAL|PANIC):\s+(?P<what>.*)$")
# Whatever is not here is worse.
LEVELS: Final = {"warn": "warning", "warning": "warning", "error": "error"}
# What differs from one complaint to the next of its kind.
NUMBERS: Final = re.compile(r"\d+")

Read = Callable[[str], tuple[str, str] | None]
"""Returns the level of a line and what is complained of, if anything is."""


def galley_complaint(line: str) -> tuple[str, str] | None:
    """Read a line of Galley's; of what is no JSON only a traceback is a complaint."""
    if line.startswith(TRACEBACK):
        return "error", "a traceback"
    if not line.startswith("{"):
        return None
    try:
        said = json.loads(line)
    except ValueError:
        return "warning", "a line that cannot be read"

    return (said["level"], f"{said.get('event')}") if said.get("level") in COMPLAINTS else None


def nginx_complaint(line: str) -> tuple[str, str] | None:
    """Read a line of nginx's error log."""
    return _matched(NGINX, line)


def postgres_complaint(line: str) -> tuple[str, str] | None:
    """Read a line of PostgreSQL's log."""
    return _matched(POSTGRES, line)


@dataclass
class Log:
    """One log across its turnovers: `web.log`, and what it was called before, `web.log.1` and so on."""

    path: Path
    read: Read
    part: str
    _files: dict[int, BinaryIO] = field(default_factory=dict)
    """By inode, the oldest first. One that is held open keeps its inode, whatever it is called."""
    _half: bytes = b""

    def complaints(self, *, is_last: bool = False) -> Counter[str]:
        """Count what was complained of since the last look; at the last one a line need not have an end."""
        # Before anything is read: whatever has been followed by another file is whole by then.
        self._find()
        *lines, self._half = b"".join([self._half, *self._news()]).split(b"\n")
        if is_last:
            lines.append(self._half)
        told = (self.read(line.decode(errors="replace")) for line in lines)
        return Counter(f"{self.part} logged {level}: {what}" for level, what in filter(None, told))

    def skip(self) -> None:
        """Pass over what has been written so far."""
        self._find()
        for file in self._files.values():
            file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files.values():
            file.close()

    def _find(self) -> None:
        for path in sorted(self.path.parent.glob(f"{self.path.name}*"), key=_age, reverse=True):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue  # it was turned over between the listing and the look, and has another name
            inode = os.fstat(file.fileno()).st_ino
            if inode in self._files:
                file.close()
            else:
                self._files[inode] = file

    def _news(self) -> Iterator[bytes]:
        for file in self._files.values():
            yield file.read()


class LogWatcher:
    """Follows logs until it is over; `counts` are the complaints that were found so far."""

    def __init__(self, logs: Iterable[Log]) -> None:
        self.counts: Counter[str] = Counter()
        self._logs = list(logs)

    def skip(self) -> None:
        """Pass over what has been complained of so far."""
        for log in self._logs:
            log.skip()

    def work(self, is_over: Event) -> None:
        """Look until it is over, and once more."""
        try:
            while not is_over.wait(LOOK_S):
                self._look(is_last=False)
            self._look(is_last=True)
        finally:
            for log in self._logs:
                log.close()

    def _look(self, *, is_last: bool) -> None:
        for log in self._logs:
            self.counts += log.complaints(is_last=is_last)


def galley_logs(folder: Path) -> list[Log]:
    """Return the logs of a stack's parts."""
    return [Log(path, galley_complaint, path.stem) for path in sorted(folder.glob("*.log"))]


def _age(path: Path) -> int:
    number = path.suffix.removeprefix(".")
    return int(number) if number.isdecimal() else 0


def _matched(pattern: re.Pattern[str], line: str) -> tuple[str, str] | None:
    found = pattern.search(line)
    if found is None:
        return None

    return LEVELS.get(found["level"].lower(), "critical"), NUMBERS.sub("N", found["what"])
