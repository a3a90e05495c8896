"""A runner's refusal comes out as the error that it was there."""

import pytest

from app.errors import (
    DeadlineExceeded,
    Draining,
    GalleyError,
    ModelFailed,
    ModelLoading,
    QueueFull,
    ShareExceeded,
    UnavailableError,
    WrongTask,
)
from app.inference.messages import Refusal, RowFailure
from app.inference.refusals import ROW_ERRORS, error_of, row_error


@pytest.mark.parametrize("error", [QueueFull, ShareExceeded, ModelLoading, Draining])
def test_what_is_worth_another_try_says_when(error: type[UnavailableError]) -> None:
    told = error_of(Refusal(call_id=1, code=error.code, detail="No.", retry_after_s=7.0), 10.0)

    assert type(told) is error
    assert isinstance(told, UnavailableError)
    assert (told.detail, told.retry_after_s) == ("No.", 7.0)


@pytest.mark.parametrize(
    ("code", "error"), [("model_failed", ModelFailed), ("wrong_task", WrongTask), ("?", ModelFailed)]
)
def test_what_is_not_keeps_its_sentence(code: str, error: type[GalleyError]) -> None:
    told = error_of(Refusal(call_id=1, code=code, detail="No."), 10.0)

    assert (type(told), told.detail) == (error, "No.")


def test_a_deadline_names_the_callers_limit() -> None:
    told = error_of(Refusal(call_id=1, code="deadline_exceeded", detail="Too late."), 10.0)

    assert isinstance(told, DeadlineExceeded)
    assert "within 10 s" in told.detail


@pytest.mark.parametrize(("code", "error"), [*ROW_ERRORS.items(), ("never_heard_of", ModelFailed)])
def test_a_rows_failure_becomes_its_error_again(code: str, error: type[GalleyError]) -> None:
    restored = row_error(RowFailure(row=0, code=code, detail="As the runner said."))

    assert type(restored) is error
    assert restored.detail == str(restored) == "As the runner said."
    assert not isinstance(restored, UnavailableError) or restored.retry_after_s == 1.0
