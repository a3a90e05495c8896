"""`python -m tests.factories.system_call_filter UNIT COMMAND …` runs COMMAND under the system calls that a unit allows.

It reads the unit with its drop-ins as systemd does, and hands the kernel the filter that systemd would, by libseccomp.
"""

import ctypes
import ctypes.util
import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.factories.commands import ROOT

UNITS = ROOT / "deploy" / "systemd"
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM
_FILTER = re.compile(r"^SystemCallFilter=(.*)$", re.MULTILINE)


def allowed_calls(unit: str) -> set[str]:
    """Return the names of the system calls that a unit may make."""
    lines = [line for path in files_of(unit) for line in _FILTER.findall(path.read_text())]
    allowed = set(expanded("@default"))
    for line in lines:
        names = {name for word in line.lstrip("~").split() for name in expanded(word)}
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed


def files_of(unit: str) -> list[Path]:
    """Return a unit's file and its drop-ins, also those of the prefixes of its name, in systemd's order."""
    stem = unit.removesuffix(".service")
    parts = stem.split("-")
    prefixes = ["-".join(parts[:count]) + "-" for count in range(1, len(parts))]
    folders = [UNITS / f"{name}.service.d" for name in (*prefixes, stem)]
    drop_ins = [path for folder in folders for path in folder.glob("*.conf")]
    return [UNITS / unit, *sorted(drop_ins, key=lambda path: path.name)]


@cache
def expanded(word: str) -> frozenset[str]:
    """Return the system calls of a group, those of groups in it too; a call is itself."""
    if not word.startswith("@"):
        return frozenset({word})

    said = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True)
    return frozenset(name for inner in _members(said.stdout) for name in expanded(inner))


def _members(said: str) -> Iterator[str]:
    for line in said.splitlines()[1:]:
        word = line.strip()
        if word and not word.startswith("#"):
            yield word


def enter(allowed: set[str]) -> None:
    """Refuse this process and its children all other system calls, for good."""
    seccomp = ctypes.CDLL(ctypes.util.find_library("seccomp"), use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(_REFUSE)))
    for name in allowed:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        # Negative: of another architecture, or newer than the library.
        if number >= 0:
            seccomp.seccomp_rule_add(context, ctypes.c_uint32(_ALLOW), ctypes.c_int(number), ctypes.c_uint(0))
    if seccomp.seccomp_load(context) != 0:
        raise OSError("the filter was not taken")


if __name__ == "__main__":
    enter(allowed_calls(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
