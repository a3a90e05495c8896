"""What is asked of a job: read from a form's texts, checked, and told apart."""

from typing import Any

import pytest

from app.errors import InvalidFields
from app.services.batch_jobs import DEFAULT_MAX_ERROR_SHARE
from app.web.blueprints.jobs.requests import JobRequest, request_of_texts


def test_texts_of_a_form_are_read() -> None:
    texts = {"kind": b"images", "model": b"digits", "version": b"best", "parameters": b'{"top_k": 3}'}

    assert request_of_texts(texts) == JobRequest(kind="images", model="digits", version="best", parameters={"top_k": 3})
    assert request_of_texts({"kind": b"images"}) == JobRequest(kind="images")


@pytest.mark.parametrize(
    ("texts", "field"),
    [
        ({"kind": b"\xff"}, "kind"),
        ({"kind": b"images", "model": b"\xff"}, "model"),
        ({"kind": b"images", "parameters": b"{"}, "parameters"),
        ({"kind": b"images", "parameters": b"[]"}, "parameters"),
        ({"kind": b"images", "parameters": b""}, "parameters"),
    ],
)
def test_wrong_text_is_named(texts: dict[str, bytes], field: str) -> None:
    with pytest.raises(InvalidFields) as caught:
        request_of_texts(texts)

    assert list(caught.value.errors) == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"kind": "poems"}, "kind"), ({"kind": ""}, "kind"), ({"model": ""}, "model"), ({"model": "m" * 129}, "model"),
     ({"version": ""}, "version"), ({"version": "v" * 65}, "version")],
)  # fmt: skip
def test_kind_model_and_version_are_checked(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidFields) as caught:
        JobRequest(**{"kind": "images", **changes}).checked_kind()

    assert list(caught.value.errors) == [field]


@pytest.mark.parametrize("share", [-0.1, 1.1, True, "0.1", None, float("nan")])
def test_error_share_is_a_share(share: Any) -> None:
    with pytest.raises(InvalidFields) as caught:
        JobRequest(kind="images", parameters={"max_error_share": share}).max_error_share()

    assert list(caught.value.errors) == ["parameters.max_error_share"]


def test_error_share_is_no_parameter_of_the_kind() -> None:
    request = JobRequest(kind="images", parameters={"max_error_share": 1, "top_k": 3})

    assert (request.max_error_share(), request.kind_parameters()) == (1.0, {"top_k": 3})
    assert JobRequest(kind="images").max_error_share() == DEFAULT_MAX_ERROR_SHARE


def test_order_of_parameters_makes_no_other_request() -> None:
    one = JobRequest(kind="tensor", parameters={"a": 1, "b": 2**70})
    same = JobRequest(kind="tensor", parameters={"b": 2**70, "a": 1})

    assert one.canonical() == same.canonical()
    assert JobRequest(kind="tensor", parameters={"a": 2, "b": 2**70}).canonical() != one.canonical()
