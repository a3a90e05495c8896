"""When Redis is asked, and when it is left alone."""

import pytest
from redis.exceptions import ResponseError

from app.errors import RedisUnavailable
from app.infra.redis_rest import REST_S, RedisRest
from tests.fakes.clock import FakeClock


class Question:
    """A call of Redis that fails with `error`, if there is one, and counts how often it is made."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.error:
            raise self.error
        return "answer"


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()


@pytest.fixture
def rest(time: FakeClock) -> RedisRest:
    return RedisRest(time.clock())


@pytest.fixture
def question() -> Question:
    return Question()


def test_redis_is_asked_each_time(rest: RedisRest, question: Question) -> None:
    assert [rest.ask(question) for _ in range(3)] == ["answer"] * 3
    assert question.calls == 3


@pytest.mark.parametrize("error", [RedisUnavailable("away"), ResponseError("WRONGTYPE")])
def test_after_a_failure_it_is_left_alone(rest: RedisRest, question: Question, error: Exception) -> None:
    question.error = error

    assert [rest.ask(question) for _ in range(3)] == [None] * 3
    assert question.calls == 1


def test_then_one_asks_whether_it_is_back(rest: RedisRest, question: Question, time: FakeClock) -> None:
    def ask_while_another_does() -> str:
        assert rest.ask(question) is None
        raise RedisUnavailable("still away")

    question.error = RedisUnavailable("away")
    rest.ask(question)
    time.advance(REST_S)

    assert rest.ask(ask_while_another_does) is None
    assert question.calls == 1


def test_once_it_is_back_all_ask(rest: RedisRest, question: Question, time: FakeClock) -> None:
    question.error = RedisUnavailable("away")
    rest.ask(question)
    time.advance(REST_S)
    question.error = None

    assert [rest.ask(question) for _ in range(3)] == ["answer"] * 3


def test_failures_of_ours_are_raised(rest: RedisRest, question: Question) -> None:
    question.error = TypeError("a mistake")

    with pytest.raises(TypeError, match="a mistake"):
        rest.ask(question)
