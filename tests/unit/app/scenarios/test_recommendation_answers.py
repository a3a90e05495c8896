"""From a runner's rows to the answer of a request for recommendations."""

import json
from typing import Any

import pytest

from app.errors import ModelFailed
from app.scenarios.outcomes import Outcome
from app.scenarios.recommendation_answers import write_answer
from app.scenarios.recommendation_requests import read_request
from app.web.blueprints.recommendations.schemas import RecommendationSchema

FAILED = ModelFailed("The model answered scores that are not numbers.")
MODEL = {"name": "recommender", "version": 3, "variant": "candidate"}


def row_of(user_id: int) -> bytes:
    """Return an answer as the runner writes it."""
    items = f'[{{"item_id":{user_id + 1},"score":0.25,"title":"}}]}}"}}]'
    return f'{{"user_id":{user_id},"items":{items},"cold_start":false}}'.encode()


def answered(body: bytes, *outcomes: Outcome) -> Any:
    """Return the answer to a body, once it is what the OpenAPI document says."""
    answer = json.loads(write_answer(read_request(body), outcomes, json.dumps(MODEL).encode()))
    assert RecommendationSchema().validate(answer) == {}
    assert answer.pop("model") == MODEL
    return answer


@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_the_answer_of_one_user_is_its_row(kind: type[Any]) -> None:
    assert answered(b'{"user_id":5}', kind(row_of(5))) == json.loads(row_of(5))


@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_several_users_keep_their_order_around_one_that_failed(kind: type[Any]) -> None:
    answer = answered(b'{"user_ids":[5,9,7]}', kind(row_of(5)), FAILED, kind(row_of(7)))

    error = {"code": FAILED.code, "detail": FAILED.detail}
    assert answer == {"results": [json.loads(row_of(5)), {"user_id": 9, "error": error}, json.loads(row_of(7))]}


def test_a_list_of_one_is_a_list_even_if_it_failed() -> None:
    assert list(answered(b'{"user_ids":[5]}', FAILED)["results"][0]) == ["user_id", "error"]


def test_the_failure_of_a_lone_user_is_the_calls() -> None:
    with pytest.raises(ModelFailed, match="not numbers"):
        answered(b'{"user_id":5}', FAILED)
