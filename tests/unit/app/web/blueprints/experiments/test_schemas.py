"""What is no outcome."""

from typing import Any

import pytest
from marshmallow import ValidationError

from app.web.blueprints.experiments.schemas import MOST_OUTCOMES, OutcomesSchema

GOOD = {"subject": "ann", "metric": "order.value_2", "value": 1}


def problems(body: Any) -> dict[str, Any]:
    with pytest.raises(ValidationError) as refusal:
        OutcomesSchema().load(body)
    messages: dict[str, Any] = refusal.value.normalized_messages()
    return messages


@pytest.mark.parametrize("value", [0, -1, 1.5, 1e100, -1e100, 10**100])
def test_finite_numbers_are_taken(value: float) -> None:
    assert OutcomesSchema().load({**GOOD, "value": value})["value"] == float(value)


@pytest.mark.parametrize("value", [True, "1", None, [], {}, 1.1e100, 10**400, -(10**400), float("nan"), float("inf")])
def test_what_is_no_finite_number_is_refused(value: object) -> None:
    assert list(problems({**GOOD, "value": value})) == ["value"]


@pytest.mark.parametrize("metric", ["", "Conversion", "1st", "a b", "a-b", "ä", "a" * 65, "a\n", 1, None])
def test_what_is_no_metric_is_refused(metric: object) -> None:
    assert list(problems({**GOOD, "metric": metric})) == ["metric"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"subject": ""}, "subject"),
        ({"subject": "a" * 129}, "subject"),
        ({"subject": "a\x00b"}, "subject"),
        ({"subject": "\ud800"}, "subject"),
        ({"variant": ""}, "variant"),
        ({"variant": "a\nb"}, "variant"),
        ({"request_id": "r1"}, "request_id"),
        ({"unheard_of": 1}, "unheard_of"),
        ({"outcomes": []}, "outcomes"),
    ],
)
def test_each_wrong_field_is_named(changes: dict[str, Any], field: str) -> None:
    assert list(problems({**GOOD, **changes})) == [field]


@pytest.mark.parametrize("request_id", ["", "a b", "a" * 129, "r\n", "ä"])
def test_what_is_no_request_id_is_refused(request_id: str) -> None:
    assert list(problems({"metric": "m", "value": 1, "request_id": request_id})) == ["request_id"]


def test_everything_that_is_missing_is_named() -> None:
    assert set(problems({})) == {"metric", "value", "request_id"}
    assert set(problems({"outcomes": [{}]})["outcomes"][0]) == {"metric", "value", "request_id"}


def test_the_two_forms_do_not_mix() -> None:
    assert set(problems({"outcomes": [GOOD], **GOOD})) == set(GOOD)


def test_a_list_is_bounded() -> None:
    assert len(OutcomesSchema().load({"outcomes": [GOOD] * MOST_OUTCOMES})["outcomes"]) == MOST_OUTCOMES
    assert list(problems({"outcomes": [GOOD] * (MOST_OUTCOMES + 1)})) == ["outcomes"]
