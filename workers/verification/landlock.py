"""Landlock: the kernel's way for a process to give up the file system but for what it names; see landlock(7).

Linux since 5.13, where it is switched on. The restriction holds for the calling thread and all it starts.
"""

import ctypes
import os
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1
_GET_VERSION = 1
_O_PATH = 0o10000000

_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# Rights over files that each version of the interface knows: 13 first, then linking and renaming across folders (2),
# truncating (3), and device calls (5).
_RIGHTS_OF_VERSION = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}


class _RulesetAttribute(ctypes.Structure):
    _fields_ = [("handled_access_fs", ctypes.c_uint64)]


class _PathAttribute(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


_libc = ctypes.CDLL(None, use_errno=True)


def landlock_version() -> int:
    """Return the version of the interface, 0 where the kernel has none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, 0, _GET_VERSION)))


def allow_reading_only(paths: Iterable[Path]) -> bool:
    """Take every right over files from this thread but that of reading `paths` and what is below them.

    Needs `no_new_privs`. Returns whether the kernel knows how.
    """
    version = landlock_version()
    if version == 0:
        return False

    rights = (1 << _RIGHTS_OF_VERSION[min(version, max(_RIGHTS_OF_VERSION))]) - 1
    attribute = _RulesetAttribute(rights)
    with ExitStack() as opened:
        ruleset = _call(_CREATE_RULESET, ctypes.byref(attribute), ctypes.sizeof(attribute), 0)
        opened.callback(os.close, ruleset)
        for path in paths:
            if path.exists():
                _allow(ruleset, path)
        _call(_RESTRICT_SELF, ruleset, 0)
    return True


def _allow(ruleset: int, path: Path) -> None:
    descriptor = os.open(path, _O_PATH | os.O_CLOEXEC)
    try:
        rule = _PathAttribute(_READ_FILE | (_READ_DIR if path.is_dir() else 0), descriptor)
        _call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"landlock: {os.strerror(code)}")

    return result
