"""What the kernel knows of its clock: adjtimex(2), asked and never set."""

import ctypes
from typing import Final

UNSYNCHRONISED: Final = 0x0040


class _Timex(ctypes.Structure):
    """The head of `struct timex` of <sys/timex.h>; what is behind `status` is not looked at."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def is_synchronised() -> bool | None:
    """Say whether something sets the clock by others; None where this process may not ask, as within some units."""
    asked = _Timex()
    if ctypes.CDLL(None).adjtimex(ctypes.byref(asked)) == -1:
        return None

    return not asked.status & UNSYNCHRONISED
