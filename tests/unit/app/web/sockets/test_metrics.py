"""Labels of what streams count come from bounded sets."""

import pytest

from app.web.sockets.metrics import closed_label
from app.web.sockets.protocol import CloseCode


@pytest.mark.parametrize("code", [*CloseCode, 1002, 1005, 1006, 1007])
def test_codes_that_say_something_are_counted_apart(code: int) -> None:
    assert closed_label(code) == f"{int(code)}"


@pytest.mark.parametrize("code", [1003, 2999, 3000, 4711, 4999])
def test_codes_of_a_clients_choice_are_counted_as_one(code: int) -> None:
    assert closed_label(code) == "other"
