"""The kernel is asked about its clock; where it does not answer nothing is made up."""

import ctypes

import pytest

from deploy.doctor import kernel_clock
from deploy.doctor.kernel_clock import is_synchronised

TIME_ERROR = 5


class Kernel:
    """Answers adjtimex(2) as its manual says."""

    def __init__(self, *, result: int, status: int) -> None:
        self._result, self._status = result, status

    def adjtimex(self, asked: object) -> int:
        timex = ctypes.cast(asked, ctypes.POINTER(kernel_clock._Timex)).contents  # type: ignore[arg-type]
        assert timex.modes == 0
        timex.status = self._status
        return self._result


@pytest.mark.parametrize(
    ("result", "status", "found"),
    [(0, 0x2001, True), (TIME_ERROR, 0x0040, False), (TIME_ERROR, 0x2041, False), (-1, 0, None)],
)
def test_the_status_is_read(monkeypatch: pytest.MonkeyPatch, result: int, status: int, found: bool | None) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: Kernel(result=result, status=status))

    assert is_synchronised() is found


def test_this_kernel_says_the_same_in_two_ways() -> None:
    """What adjtimex returns is TIME_ERROR where the clock is not synchronised."""
    room = ctypes.create_string_buffer(1024)
    state = ctypes.CDLL(None).adjtimex(room)

    assert (is_synchronised() is None) == (state == -1)
    assert state == TIME_ERROR or is_synchronised() is not False
