"""An answer to somebody else, or one that is not in form, is seen."""

from typing import Any

import httpx
import pytest

from tests.chaos.answers import breaches, symptom_of

OWN = {"X-Request-ID": "me-1"}


def problem(status: int, code: str = "queue_full", **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "request_id": "me-1"}, headers={**OWN, **headers})


@pytest.mark.parametrize(
    "answer", [httpx.Response(200, headers=OWN), problem(503, **{"Retry-After": "1"}), problem(404, "job_not_found")]
)
def test_answers_in_form(answer: httpx.Response) -> None:
    assert breaches(answer, "me-1") == []


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (httpx.Response(200, headers={"X-Request-ID": "you-1"}), "answers request you-1"),
        (httpx.Response(200), "answers request None"),
        (problem(503), "a 503 with Retry-After None"),
        (problem(404, **{"Retry-After": "1"}), "a 404 with Retry-After 1"),
        (httpx.Response(502, text="<html>", headers=OWN), "no problem of this request"),
        (httpx.Response(502, json={"code": "x", "request_id": "you-1"}, headers=OWN), "no problem of this request"),
    ],
)
def test_answers_out_of_form(answer: httpx.Response, what: str) -> None:
    [told] = breaches(answer, "me-1")

    assert what in told


@pytest.mark.parametrize(
    ("answer", "symptom"),
    [
        (problem(503), "queue_full"),
        (problem(504, "deadline_exceeded"), "deadline_exceeded"),
        (problem(500, "internal_error"), "status 500 internal_error"),
        (problem(404, "job_not_found"), "status 404 job_not_found"),
        (httpx.Response(502, text="<html>"), "status 502"),
    ],
)
def test_refusals_are_named_so_that_only_passing_ones_can_be_excused(answer: Any, symptom: str) -> None:
    assert symptom_of(answer) == symptom
