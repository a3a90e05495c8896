"""What is checked of a body that is to be JSON."""

import pytest

from app.errors import EmptyBody, UnsupportedMediaType
from app.web.json_body import check_json


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON", "application/json; charset=utf-8", " application/json ;"]
)
def test_json_may_be_called_so_in_other_ways(content_type: str) -> None:
    check_json({"CONTENT_TYPE": content_type}, b"{}")


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"CONTENT_TYPE": ""},
        {"CONTENT_TYPE": "text/plain"},
        {"CONTENT_TYPE": "multipart/form-data; a=application/json"},
    ],
)
def test_a_body_that_is_called_something_else_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(UnsupportedMediaType, match="send application/json"):
        check_json(environ, b"{}")


def test_no_body_is_no_json() -> None:
    with pytest.raises(EmptyBody):
        check_json({"CONTENT_TYPE": "application/json"}, b"")
