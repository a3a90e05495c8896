"""JSON, strict in both directions."""

from datetime import UTC, datetime

import pytest
from flask import Flask, jsonify

from app.web.json_provider import OrjsonProvider


@pytest.fixture
def provider() -> OrjsonProvider:
    return OrjsonProvider(Flask(__name__))


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', '"\\ud800"', "{'a': 1}", "[1,]"])
def test_what_is_not_json_is_refused(provider: OrjsonProvider, text: str) -> None:
    with pytest.raises(ValueError, match="line 1 column"):
        provider.loads(text)


def test_what_was_written_is_read_again(provider: OrjsonProvider) -> None:
    value = {"name": "Ærø", "numbers": [1, 2.5, None, True]}

    assert provider.loads(provider.dumps(value)) == value


def test_times_are_rfc_3339(provider: OrjsonProvider) -> None:
    assert provider.dumps(datetime(2026, 1, 31, 12, tzinfo=UTC)) == '"2026-01-31T12:00:00+00:00"'


def test_answers_are_compact_json() -> None:
    app = Flask(__name__)
    app.json = OrjsonProvider(app)

    with app.app_context():
        response = jsonify(a=1, b=[2])

    assert (response.mimetype, response.data) == ("application/json", b'{"a":1,"b":[2]}')
